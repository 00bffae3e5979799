//! One HTTP/2 connection to one node, with the calls that the client makes.
//!
//! An append is sent as one piece: headers, events and end. Servers acknowledge late. In several
//! pieces, the last piece would wait for the acknowledgement, and each piece would need a packet
//! for a few bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use event_store_protocol::gossip::{ClusterInfo, MemberInfo};
use event_store_protocol::server_features::SupportedMethods;
use event_store_protocol::shared::Empty;
use event_store_protocol::streams::{AppendReq, AppendResp, ReadReq, ReadResp};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use hyper_util::rt::TokioIo;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, ProstCodec, Streaming};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint as Target};
use tonic::{Request, Response, Status};
use tower::{Service, ServiceExt};

use super::dial::Stream;
use super::fault::{Fault, root_cause};
use super::settings::{Credentials, Endpoint, NodePreference, Settings};

const APPEND: &str = "/event_store.client.streams.Streams/Append";
const READ: &str = "/event_store.client.streams.Streams/Read";
const GOSSIP: &str = "/event_store.client.gossip.Gossip/Read";
const FEATURES: &str = "/event_store.client.server_features.ServerFeatures/GetSupportedMethods";
/// How long the server may take for an append before it gives up.
const APPEND_DEADLINE: Duration = Duration::from_secs(10);

/// The settings that apply to each call of a connection.
#[derive(Clone)]
pub(super) struct CallSettings {
    headers: HeaderMap,
    credentials: Option<Credentials>,
    keep_alive_interval: Option<Duration>,
    keep_alive_timeout: Duration,
    append_timeout: HeaderValue,
}

impl CallSettings {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut headers = HeaderMap::new();
        let mut insert = |name, value: &str| {
            if let Ok(mut value) = HeaderValue::from_str(value) {
                value.set_sensitive(name == "authorization");
                headers.insert(name, value);
            }
        };
        if let Some(Credentials { user, password }) = &settings.credentials {
            insert("authorization", &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        }
        if settings.preference == NodePreference::Leader {
            insert("requires-leader", "true");
        }
        if let Some(name) = &settings.connection_name {
            insert("connection-name", name);
        }
        let deadline = settings.deadline.unwrap_or(APPEND_DEADLINE).as_millis();
        Self {
            headers,
            credentials: settings.credentials.clone(),
            keep_alive_interval: settings.keep_alive_interval,
            keep_alive_timeout: settings.keep_alive_timeout,
            // gRPC allows eight digits. The settings allow 2^31 ms.
            append_timeout: HeaderValue::from_str(&format!("{}m", deadline.min(99_999_999)))
                .unwrap_or(HeaderValue::from_static("10S")),
        }
    }
}

/// A connection. Cheap to clone. The clones share it.
#[derive(Clone)]
pub(super) struct Link {
    channel: Channel,
    call_settings: CallSettings,
    pub(super) node: Endpoint,
}

impl Link {
    /// Begins HTTP/2 on a stream. The link belongs to this stream: when the stream breaks, every
    /// call fails.
    pub(super) async fn over(
        stream: Box<dyn Stream>,
        node: Endpoint,
        call_settings: &CallSettings,
    ) -> Result<Self, Fault> {
        let address = format!("http://{node}");
        let mut target = Target::from_shared(address)
            .map_err(|_| Fault::misconfigured(format!("{node} is not an address that HTTP can name")))?
            .keep_alive_timeout(call_settings.keep_alive_timeout)
            .keep_alive_while_idle(true);
        if let Some(interval) = call_settings.keep_alive_interval {
            target = target.http2_keep_alive_interval(interval);
        }
        let mut stream = Some(TokioIo::new(stream));
        let once = tower::service_fn(move |_| {
            let stream = stream.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected));
            std::future::ready(stream)
        });
        let channel = target.connect_with_connector(once).await.map_err(|error| {
            let broken = || Fault::broken(format!("{node} does not begin HTTP/2: {}", root_cause(&error)));
            Fault::of_the_protocol(&error).unwrap_or_else(broken)
        })?;
        Ok(Self { channel, call_settings: call_settings.clone(), node })
    }

    /// Asks for the server's features, only to see that it answers.
    pub(super) async fn greet(&self) -> Result<(), Fault> {
        self.features().await.map(drop)
    }

    /// The server's features, with the headers of the answer.
    pub(super) async fn features(&self) -> Result<Response<SupportedMethods>, Fault> {
        self.unary(FEATURES, Empty {}).await
    }

    /// The nodes of the cluster, according to this node.
    pub(super) async fn members(&self) -> Result<Vec<MemberInfo>, Fault> {
        Ok(self.unary::<_, ClusterInfo>(GOSSIP, Empty {}).await?.into_inner().members)
    }

    pub(super) async fn read(&self, request: ReadReq) -> Result<Reading, Fault> {
        let mut grpc = self.grpc().await?;
        let response = grpc.server_streaming(self.request(request), path(READ), ProstCodec::default()).await;
        let messages = response.map_err(|status| self.fault(&status))?.into_inner();
        Ok(Reading { messages, link: self.clone() })
    }

    pub(super) async fn append(&self, messages: &[AppendReq]) -> Result<AppendResp, Fault> {
        let mut request = http::Request::post(APPEND).version(http::Version::HTTP_2);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.call_settings.headers);
            headers.insert("te", HeaderValue::from_static("trailers"));
            headers.insert("content-type", HeaderValue::from_static("application/grpc"));
            headers.insert("grpc-timeout", self.call_settings.append_timeout.clone());
        }
        let body = tonic::body::boxed(Whole(Some(framed(messages))));
        let request = request.body(body).map_err(|_| Fault::Malformed("a header"))?;
        let broke = |error: tonic::transport::Error| self.fault(&Status::from_error(error.into()));
        let mut channel = self.channel.clone();
        let response = channel.ready().await.map_err(broke)?.call(request).await.map_err(broke)?;
        if let Some(status) = Status::from_header_map(response.headers())
            && status.code() != tonic::Code::Ok
        {
            return Err(self.fault(&status));
        }
        let decoder = ProstCodec::<(), AppendResp>::default().decoder();
        let (status, body) = (response.status(), response.into_body());
        let mut answer = Streaming::new_response(decoder, body, status, None, None);
        let written = answer.message().await.map_err(|status| self.fault(&status))?;
        // The end of the answer is read too: only there does the server report success.
        answer.trailers().await.map_err(|status| self.fault(&status))?;
        written.ok_or(Fault::Malformed("an append that is not answered"))
    }

    async fn unary<Q, A>(&self, method: &'static str, question: Q) -> Result<Response<A>, Fault>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.grpc().await?;
        let answer = grpc.unary(self.request(question), path(method), ProstCodec::default()).await;
        answer.map_err(|status| self.fault(&status))
    }

    async fn grpc(&self) -> Result<Grpc<Channel>, Fault> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
        grpc.ready().await.map_err(|error| self.fault(&Status::from_error(error.into())))?;
        Ok(grpc)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.call_settings.headers.clone());
        request
    }

    fn fault(&self, status: &Status) -> Fault {
        Fault::from_status(status, self.call_settings.credentials.as_ref())
    }
}

/// The answer to a read, message by message.
pub(super) struct Reading {
    messages: Streaming<ReadResp>,
    link: Link,
}

impl Reading {
    pub(super) async fn next(&mut self) -> Result<Option<ReadResp>, Fault> {
        self.messages.message().await.map_err(|status| self.link.fault(&status))
    }
}

/// Messages in gRPC's form: each after a flag and its length.
fn framed(messages: &[AppendReq]) -> Bytes {
    let size = messages.iter().map(|message| 5 + message.encoded_len()).sum();
    let mut bytes = BytesMut::with_capacity(size);
    for message in messages {
        let length = message.encoded_len();
        bytes.put_u8(0);
        // The server accepts a few MiB. It refuses a longer message, whatever its length field
        // states.
        bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&message.encode_to_vec());
    }
    bytes.freeze()
}

/// A body of one piece that never fails. Its end is sent with it.
struct Whole(Option<Bytes>);

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}
