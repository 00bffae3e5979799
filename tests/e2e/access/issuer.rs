//! An OIDC issuer: a discovery document, keys that rotate, and tokens that it signs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// An issuer that runs in this process.
pub struct Issuer {
    pub url: String,
    keys: Arc<Mutex<Vec<SigningKey>>>,
    /// How often its keys were fetched.
    fetched: Arc<AtomicU32>,
}

struct SigningKey {
    id: String,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair }
    }

    fn public(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": encoded(x), "y": encoded(y) })
    }
}

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    /// An issuer with one key, on a free port.
    pub async fn new() -> Self {
        let keys = Arc::new(Mutex::new(vec![SigningKey::new("first")]));
        let fetched = Arc::new(AtomicU32::new(0));
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}/realms/shop", listener.local_addr().unwrap());
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let (public, count) = (keys.clone(), fetched.clone());
        let router = Router::new()
            .route("/realms/shop/.well-known/openid-configuration", get(async move || Json(discovery.clone())))
            .route(
                "/realms/shop/keys",
                get(async move || {
                    count.fetch_add(1, Ordering::Relaxed);
                    let keys: Vec<Value> = public.lock().unwrap().iter().map(SigningKey::public).collect();
                    Json(json!({ "keys": keys }))
                }),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, keys, fetched }
    }

    /// From now on it signs with another key. It still publishes the earlier ones.
    pub fn rotate(&self, id: &str) {
        self.keys.lock().unwrap().push(SigningKey::new(id));
    }

    /// How often its keys were fetched.
    pub fn fetched(&self) -> u32 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// The claims of a token that is accepted, for this subject and these roles.
    pub fn claims(&self, subject: &str, roles: &[&str]) -> Value {
        let now = Utc::now().timestamp();
        json!({ "iss": self.url, "sub": subject, "aud": "tenuto", "exp": now + 600, "nbf": now - 60, "roles": roles })
    }

    /// A token with these claims, signed with the newest key.
    pub fn sign(&self, claims: &Value) -> String {
        let id = self.keys.lock().unwrap().last().unwrap().id.clone();
        self.sign_text(&json!({ "alg": "ES256", "kid": id, "typ": "JWT" }), &claims.to_string())
    }

    /// A token with this header and this text of claims, signed with the newest key.
    pub fn sign_text(&self, header: &Value, claims: &str) -> String {
        let keys = self.keys.lock().unwrap();
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims));
        let signature = keys.last().unwrap().pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encoded(signature))
    }

    /// A token for this subject, with one role.
    pub fn token(&self, subject: &str, role: &str) -> String {
        self.sign(&self.claims(subject, &[role]))
    }
}
