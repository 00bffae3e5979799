//! Tokens that were tampered with, keys that rotate, and keys that are revoked.

use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::Guarded;
use super::issuer::encoded;
use crate::process::until;

async fn status(guarded: &Guarded, token: &str) -> u16 {
    guarded.ask(Method::GET, "/circuits", Some(token), None).await.status().as_u16()
}

fn with_header(token: &str, header: &Value) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", encoded(header.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attack_on_a_token_gets_in_and_none_is_repeated_in_full() {
    let guarded = Guarded::new().await;
    let good = guarded.issuer.token("ann", "viewer");
    assert_eq!(status(&guarded, &good).await, 200);
    let claims = guarded.issuer.claims("ann", &["viewer"]);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        guarded.issuer.sign(&claims)
    };
    let now = chrono::Utc::now().timestamp();
    let unsigned = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(claims.to_string()));
    let message = format!("{}.{}", encoded(r#"{"alg":"HS256","kid":"first"}"#), encoded(claims.to_string()));
    let confused = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"the public key"), message.as_bytes());
    let elsewhere = |name: &str| with_header(&good, &json!({ "alg": "ES256", "kid": "first", name: guarded.base }));
    let attacks = [
        ("alg none", unsigned),
        ("alg None", with_header(&good, &json!({ "alg": "None", "kid": "first" }))),
        ("a public key as a shared secret", format!("{message}.{}", encoded(confused))),
        ("another key id", with_header(&good, &json!({ "alg": "ES256", "kid": "../../first" }))),
        ("a key id that is SQL", with_header(&good, &json!({ "alg": "ES256", "kid": "' OR 1=1 --" }))),
        ("keys from elsewhere", elsewhere("jku")),
        ("a certificate from elsewhere", elsewhere("x5u")),
        ("no signature", good.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("cut off", good[..good.len() - 2].to_owned()),
        ("expired a second ago", with("exp", json!(now - 31))),
        ("not valid yet", with("nbf", json!(now + 90))),
        ("a time that is text", with("exp", json!("later"))),
        ("a subject that is a number", with("sub", json!(7))),
        ("an audience that is an object", with("aud", json!({ "tenuto": true }))),
        ("another issuer's name", with("iss", json!("https://evil.example"))),
    ];
    for (attack, token) in &attacks {
        let answer = guarded.ask(Method::GET, "/circuits", Some(token), None).await;
        assert_eq!(answer.status(), 401, "{attack}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"), "{attack}");
        let said = answer.text().await.unwrap();
        assert!(!said.contains(token.as_str()), "{attack}: {said}");
    }
    // A head this large is refused before it is read whole.
    let huge = guarded.http.get(format!("{}/circuits", guarded.base));
    let huge = huge.bearer_auth(format!("{good}{}", "A".repeat(1 << 20))).send().await;
    assert!(huge.is_err() || huge.is_ok_and(|answer| answer.status() == 431));
    let duplicate = claims.to_string().replacen('{', r#"{"sub":"bob","#, 1);
    let header = json!({ "alg": "ES256", "kid": "first" });
    assert_eq!(
        status(&guarded, &guarded.issuer.sign_text(&header, &duplicate)).await,
        401,
        "a claim that stands twice"
    );
    let metrics = guarded.ask(Method::GET, "/metrics", Some(&good), None).await.text().await.unwrap();
    let counted = metrics.lines().find(|line| line.contains("reason=\"rejected_credentials\"")).unwrap_or_default();
    let counted: u64 = counted.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(counted >= 15, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_rotates_its_keys_while_requests_run_and_no_valid_token_is_refused() {
    let guarded = Guarded::new().await;
    let before = guarded.issuer.token("ann", "viewer");
    assert_eq!(status(&guarded, &before).await, 200);
    guarded.issuer.rotate("second");
    let after = guarded.issuer.token("ann", "viewer");
    for _ in 0..20 {
        assert_eq!((status(&guarded, &before).await, status(&guarded, &after).await), (200, 200));
    }
    assert_eq!(guarded.issuer.fetched(), 2, "once at first, and once for the new key");
    // Key ids that do not exist have the keys fetched at most once a minute.
    for id in 0..20 {
        let made_up = with_header(&after, &json!({ "alg": "ES256", "kid": format!("k{id}") }));
        assert_eq!(status(&guarded, &made_up).await, 401);
    }
    assert_eq!(guarded.issuer.fetched(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_within_ten_seconds_and_an_expired_one_at_once() {
    let guarded = Guarded::new().await;
    let (id, key) = guarded.key(&["--role", "viewer", "--name", "ci"]);
    let (_, brief) = guarded.key(&["--role", "viewer", "--name", "brief", "--expires", "1ms"]);
    assert_eq!((status(&guarded, &key).await, status(&guarded, &brief).await), (200, 401));
    guarded.revoke(&id);
    let revoked = std::time::Instant::now();
    until("the revoked key is refused", async || status(&guarded, &key).await == 401).await;
    assert!(revoked.elapsed() < std::time::Duration::from_secs(10), "{:?}", revoked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_ends_when_its_key_is_revoked() {
    let guarded = Guarded::new().await;
    let (id, key) = guarded.key(&["--role", "viewer", "--name", "screen"]);
    let request = guarded.http.get(format!("{}/graphql", guarded.base)).bearer_auth(&key);
    let request = request.query(&[("query", "subscription { orders { id } }")]).header("accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    guarded.revoke(&id);
    let ended = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.expect("the stream ends");
}
