//! A node with users: who may do what, and what others get to know.

use event_store::{AppendError, EventStore, Expected, Filter, ReadError};
use event_store_node::{InitialPasswords, Node, NodeHandle, NodeOptions};
use event_store_protocol::users::{
    ChangePasswordReq, ChangePasswordResp, CreateReq, CreateResp, DeleteReq, DeleteResp, DetailsReq, DetailsResp,
    DisableReq, DisableResp, ResetPasswordReq, ResetPasswordResp, change_password_req, create_req, delete_req,
    details_req, disable_req, reset_password_req,
};
use eventstore::{AppendToStreamOptions, DeleteStreamOptions, PersistentSubscriptionOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::support::{LIMIT, event, raw, unique};

const ADMIN: &str = "admin:s3cret-of-admin";
const OPS: &str = "ops:s3cret-of-ops";

async fn node(folder: &TempDir) -> NodeHandle {
    let users = InitialPasswords { admin: "s3cret-of-admin".to_owned(), ops: Some("s3cret-of-ops".to_owned()) };
    let options = NodeOptions { users: Some(users), ..NodeOptions::in_folder(folder.path()) };
    Node::start(options).await.unwrap()
}

fn string(node: &NodeHandle, user: &str) -> String {
    let user = if user.is_empty() { String::new() } else { format!("{user}@") };
    format!("esdb://{user}{}?tls=false", node.address())
}

fn store(node: &NodeHandle, user: &str) -> EventStore {
    EventStore::connect(&string(node, user)).unwrap()
}

/// Calls a method of `Users`, and returns the first message of the answer.
async fn call<Q, A>(node: &NodeHandle, user: &str, method: &'static str, question: Q) -> Result<A, Status>
where
    Q: prost::Message + 'static,
    A: prost::Message + Default + 'static,
{
    use base64::Engine;
    let channel = Channel::from_shared(format!("http://{}", node.address())).unwrap().connect().await.unwrap();
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let mut request = Request::new(question);
    let header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(user));
    request.metadata_mut().insert("authorization", header.parse().unwrap());
    let path = http::uri::PathAndQuery::try_from(format!("/event_store.client.users.Users/{method}")).unwrap();
    let mut answer = grpc.server_streaming(request, path, ProstCodec::default()).await?.into_inner();
    answer.message().await?.ok_or_else(|| Status::internal("no answer"))
}

async fn create(node: &NodeHandle, user: &str, login: &str, password: &str) -> Result<CreateResp, Status> {
    let (login_name, password, groups) = (login.to_owned(), password.to_owned(), vec!["shops".to_owned()]);
    let options = create_req::Options { login_name, password, full_name: String::new(), groups };
    call(node, user, "Create", CreateReq { options: Some(options) }).await
}

async fn details(node: &NodeHandle, user: &str, login: &str) -> Result<DetailsResp, Status> {
    let options = details_req::Options { login_name: login.to_owned() };
    call(node, user, "Details", DetailsReq { options: Some(options) }).await
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Code {
    outcome.unwrap_err().code()
}

/// Whether an append was refused for want of a right.
async fn is_denied(store: &EventStore, stream: &str) -> bool {
    match timeout(LIMIT, store.append(stream, Expected::Any, vec![event("Happened")])).await.expect("no answer in time")
    {
        Ok(_) => false,
        Err(AppendError::Refused(_)) => true,
        Err(other) => panic!("{stream}: {other}"),
    }
}

async fn set_metadata(store: &EventStore, stream: &str, metadata: &Value) {
    let mut new = event("$metadata");
    new.data = metadata.to_string().into();
    store.append(&format!("$${stream}"), Expected::Any, vec![new]).await.unwrap();
}

#[tokio::test]
async fn a_client_needs_a_user_and_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder).await;
    assert!(store(&node, ADMIN).head().await.unwrap().is_some(), "the records of users are in the log");
    for (user, part) in [("", "requires a user"), ("admin:wrong", "does not accept"), ("eve:s3cret", "does not accept")]
    {
        let refused = timeout(LIMIT, store(&node, user).head()).await.expect("no answer in time").unwrap_err();
        assert!(matches!(&refused, ReadError::Refused(text) if text.contains(part)), "{user}: {refused}");
        assert!(is_denied(&store(&node, user), "order-1").await, "{user}");
    }
    let others = raw(&string(&node, ADMIN));
    let options = AppendToStreamOptions::default();
    let new = eventstore::EventData::json("Happened", &json!({})).unwrap();
    others.append_to_stream("order-1", &options, new.clone()).await.unwrap();
    let anonymous = raw(&string(&node, "")).append_to_stream("order-1", &options, new).await.unwrap_err();
    assert!(matches!(anonymous, eventstore::Error::AccessDenied), "{anonymous:?}");
}

#[tokio::test]
async fn ordinary_streams_are_for_users_and_the_systems_are_for_administrators() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder).await;
    create(&node, ADMIN, "anna", "pass").await.unwrap();
    let (anna, admin, ops) = (store(&node, "anna:pass"), store(&node, ADMIN), store(&node, OPS));
    let stream = unique("order");
    for user in [&anna, &ops, &admin] {
        assert!(!is_denied(user, &stream).await);
        assert_eq!(is_denied(user, "$mine").await, !std::ptr::eq(user, &raw const admin));
    }
    assert_eq!(anna.read_stream(&stream, 0, 10).await.unwrap().len(), 3);
    for denied in [&anna, &ops] {
        assert!(matches!(denied.head().await, Err(ReadError::Refused(_))), "$all");
        assert!(matches!(denied.read_stream("$user-admin", 0, 1).await, Err(ReadError::Refused(_))));
    }
    set_metadata(&admin, "$all", &json!({ "$acl": { "$r": ["anna", "$admins"] } })).await;
    assert!(anna.head().await.unwrap().is_some());
    assert!(matches!(ops.head().await, Err(ReadError::Refused(_))));
    let mut subscription = anna.subscribe_all(Filter::ExcludeSystem, None);
    assert_eq!(super::support::next_event(&mut subscription).await.stream, stream);
}

#[tokio::test]
async fn a_list_in_the_metadata_of_a_stream_decides() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder).await;
    create(&node, ADMIN, "anna", "pass").await.unwrap();
    create(&node, ADMIN, "bert", "pass").await.unwrap();
    let (anna, bert, admin) = (store(&node, "anna:pass"), store(&node, "bert:pass"), store(&node, ADMIN));
    let stream = unique("order");
    assert!(!is_denied(&bert, &stream).await);
    let list = json!({ "$r": ["shops"], "$w": "anna", "$mw": ["$admins"], "$mr": "bert", "$d": [] });
    set_metadata(&admin, &stream, &json!({ "$acl": list })).await;
    assert!(!is_denied(&anna, &stream).await && is_denied(&bert, &stream).await);
    assert!(is_denied(&anna, &format!("$${stream}")).await, "the metadata");
    assert_eq!(bert.read_stream(&stream, 0, 10).await.unwrap().len(), 2, "by the group");
    assert!(bert.read_stream(&format!("$${stream}"), 0, 10).await.is_ok());
    assert!(matches!(anna.read_stream(&format!("$${stream}"), 0, 10).await, Err(ReadError::Refused(_))));
    let deleted = raw(&string(&node, "anna:pass"))
        .delete_stream(stream.as_str(), &DeleteStreamOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(deleted, eventstore::Error::AccessDenied), "{deleted:?}");
    raw(&string(&node, ADMIN)).delete_stream(stream.as_str(), &DeleteStreamOptions::default()).await.unwrap();

    let mut settings = event("update-default-acl");
    settings.data = json!({ "$userStreamAcl": { "$r": "anna", "$w": "anna" } }).to_string().into();
    admin.append("$settings", Expected::Any, vec![settings]).await.unwrap();
    let other = unique("order");
    assert!(!is_denied(&anna, &other).await && is_denied(&bert, &other).await);
}

#[tokio::test]
async fn operators_operate_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder).await;
    create(&node, ADMIN, "anna", "pass").await.unwrap();
    let groups = PersistentSubscriptionOptions::default();
    let made = raw(&string(&node, "anna:pass")).create_persistent_subscription("order-1", "g", &groups).await;
    assert!(matches!(made, Err(eventstore::Error::AccessDenied)), "{made:?}");
    raw(&string(&node, OPS)).create_persistent_subscription("order-1", "g", &groups).await.unwrap();
    for (page, user, expected) in [
        ("GET /ping", "", 200),
        ("GET /health/live", "", 204),
        ("GET /gossip", "", 200),
        ("GET /stats", "", 401),
        ("GET /metrics", "", 401),
        ("GET /metrics", "anna:pass", 200),
        ("GET /stats", "anna:wrong", 401),
        ("GET /stats", "anna:pass", 200),
        ("POST /admin/scavenge", "anna:pass", 403),
        ("POST /admin/scavenge", OPS, 200),
    ] {
        use base64::Engine;
        let header = match user {
            "" => String::new(),
            user => {
                format!("Authorization: Basic {}\r\n", base64::engine::general_purpose::STANDARD.encode(user))
            }
        };
        let request =
            format!("{page} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: 0\r\n{header}\r\n");
        let mut stream = TcpStream::connect(node.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("an end in time").unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{page} {user}: {answer}");
        assert_eq!(answer.contains("www-authenticate: Basic"), expected == 401, "{answer}");
    }
}

#[tokio::test]
async fn administrators_manage_users_and_users_change_their_own_password() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder).await;
    assert_eq!(code(create(&node, OPS, "anna", "pass").await), Code::PermissionDenied);
    create(&node, ADMIN, "anna", "pass").await.unwrap();
    assert_eq!(code(create(&node, ADMIN, "anna", "pass").await), Code::AlreadyExists);
    for (login, password) in [("", "pass"), ("a:b", "pass"), ("bert", "")] {
        assert_eq!(code(create(&node, ADMIN, login, password).await), Code::InvalidArgument, "{login:?}");
    }
    let found = details(&node, "anna:pass", "anna").await.unwrap().user_details.unwrap();
    assert_eq!((found.login_name.as_str(), found.groups, found.disabled), ("anna", vec!["shops".to_owned()], false));
    assert_eq!(code(details(&node, "anna:pass", "admin").await), Code::PermissionDenied);
    assert_eq!(code(details(&node, "anna:pass", "").await), Code::PermissionDenied);
    assert_eq!(details(&node, ADMIN, "").await.unwrap().user_details.unwrap().login_name, "admin");
    assert_eq!(code(details(&node, ADMIN, "eve").await), Code::NotFound);

    let change = |login: &str, current: &str, new: &str| ChangePasswordReq {
        options: Some(change_password_req::Options {
            login_name: login.to_owned(),
            current_password: current.to_owned(),
            new_password: new.to_owned(),
        }),
    };
    let changed: Result<ChangePasswordResp, _> =
        call(&node, "anna:pass", "ChangePassword", change("anna", "wrong", "x")).await;
    assert_eq!(code(changed), Code::PermissionDenied);
    let changed: Result<ChangePasswordResp, _> =
        call(&node, "anna:pass", "ChangePassword", change("admin", "s3cret-of-admin", "x")).await;
    assert_eq!(code(changed), Code::PermissionDenied, "of another user");
    let _: ChangePasswordResp =
        call(&node, "anna:pass", "ChangePassword", change("anna", "pass", "next")).await.unwrap();
    assert_eq!(code(details(&node, "anna:pass", "anna").await), Code::Unauthenticated);
    details(&node, "anna:next", "anna").await.unwrap();
    let options = reset_password_req::Options { login_name: "anna".to_owned(), new_password: "last".to_owned() };
    let reset = ResetPasswordReq { options: Some(options) };
    let _: ResetPasswordResp = call(&node, ADMIN, "ResetPassword", reset).await.unwrap();
    details(&node, "anna:last", "anna").await.unwrap();

    node.shutdown().await;
    let node = self::node(&folder).await;
    details(&node, "anna:last", "anna").await.unwrap();
    let options = Some(disable_req::Options { login_name: "anna".to_owned() });
    let _: DisableResp = call(&node, ADMIN, "Disable", DisableReq { options }).await.unwrap();
    assert_eq!(code(details(&node, "anna:last", "anna").await), Code::Unauthenticated);
    let options = Some(delete_req::Options { login_name: "anna".to_owned() });
    let _: DeleteResp = call(&node, ADMIN, "Delete", DeleteReq { options }).await.unwrap();
    assert_eq!(code(details(&node, ADMIN, "anna").await), Code::NotFound);
    create(&node, ADMIN, "anna", "again").await.unwrap();
    details(&node, "anna:again", "anna").await.unwrap();
}

#[tokio::test]
async fn no_password_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder).await;
    let admin = store(&node, ADMIN);
    let recorded = admin.read_stream("$user-admin", 0, 10).await.unwrap();
    let record: Value = serde_json::from_slice(&recorded[0].data).unwrap();
    assert_eq!((&record["loginName"], &record["groups"]), (&json!("admin"), &json!(["$admins"])));
    assert!(record["rounds"].as_u64().unwrap() >= 6_000 && record["salt"] != record["hash"], "{record}");
    assert!(!String::from_utf8_lossy(&recorded[0].data).contains("s3cret"));
}
