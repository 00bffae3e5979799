//! Tokens that an issuer signed, and tokens that others made.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://login.example/realms/shop";

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A signer with its public key.
enum Signer {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn p256() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap())
    }

    fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::P256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": encoded(x), "y": encoded(y) })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "x": encoded(key.public_key()) })
            }
        }
    }

    fn sign(&self, message: &str) -> Vec<u8> {
        match self {
            Self::P256(key) => key.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        }
    }

    fn token(&self, header: &Value, claims: &str) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims));
        let signature = encoded(self.sign(&message));
        format!("{message}.{signature}")
    }
}

fn keys(keys: &[Value]) -> JwkSet {
    serde_json::from_value(json!({ "keys": keys })).unwrap()
}

fn issuer() -> Issuer {
    Issuer {
        name: "company".to_owned(),
        url: ISSUER.to_owned(),
        audiences: vec!["tenuto".to_owned()],
        algorithms: ALGORITHMS.to_vec(),
        leeway_seconds: 30,
        role_claim: vec!["realm_access".to_owned(), "roles".to_owned()],
        roles: BTreeMap::from([
            ("ops".to_owned(), vec![Role::Operator, Role::Viewer]),
            ("books".to_owned(), vec![Role::Auditor]),
        ]),
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "ann", "aud": ["tenuto", "mail"], "exp": NOW + 60, "nbf": NOW - 60,
            "realm_access": { "roles": ["ops", "unknown"] } })
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

fn verify(token: &str, keys: &JwkSet) -> Result<Principal, Rejected> {
    let token = Unverified::read(token)?;
    let issuers = [issuer()];
    token.verified(token.issuer(&issuers)?, keys, NOW)
}

#[test]
fn a_token_of_an_accepted_issuer_gives_its_subject_the_roles_of_its_claim() {
    for signer in [Signer::p256(), Signer::ed25519()] {
        let known = keys(&[signer.jwk("a")]);
        for header in
            [json!({ "alg": signer.algorithm(), "kid": "a", "typ": "at+jwt" }), json!({ "alg": signer.algorithm() })]
        {
            let principal = verify(&signer.token(&header, &claims().to_string()), &known).unwrap();
            assert_eq!(principal.name, "ann@company");
            assert_eq!(principal.roles, [Role::Operator, Role::Viewer].into());
        }
    }
}

#[test]
fn a_token_is_valid_between_its_times_with_the_leeway_and_not_a_second_longer() {
    let signer = Signer::p256();
    let known = keys(&[signer.jwk("a")]);
    for (name, at, expected) in [
        ("exp", NOW - 29, None),
        ("exp", NOW - 30, Some(Rejected::Expired)),
        ("nbf", NOW + 30, None),
        ("nbf", NOW + 31, Some(Rejected::NotYet)),
    ] {
        let token = signer.token(&json!({ "alg": "ES256" }), &with(name, json!(at)));
        assert_eq!(verify(&token, &known).err(), expected, "{name} {}", at - NOW);
    }
}

#[test]
fn claims_that_are_missing_malformed_or_for_others_are_refused() {
    let signer = Signer::p256();
    let known = keys(&[signer.jwk("a")]);
    for (name, value, expected) in [
        ("iss", json!("https://evil.example"), Rejected::Issuer),
        ("iss", json!(format!("{ISSUER}/")), Rejected::Issuer),
        ("iss", json!([ISSUER]), Rejected::Malformed),
        ("aud", json!("mail"), Rejected::Audience),
        ("aud", json!([]), Rejected::Audience),
        ("aud", json!(["tenuto", 7]), Rejected::Audience),
        ("aud", Value::Null, Rejected::Audience),
        ("exp", Value::Null, Rejected::Malformed),
        ("exp", json!((NOW + 60).to_string()), Rejected::Malformed),
        ("exp", json!(-1), Rejected::Expired),
        ("nbf", json!("soon"), Rejected::Malformed),
        ("sub", json!(""), Rejected::Malformed),
        ("sub", json!(7), Rejected::Malformed),
    ] {
        let token = signer.token(&json!({ "alg": "ES256" }), &with(name, value.clone()));
        assert_eq!(verify(&token, &known).err(), Some(expected), "{name} {value}");
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("exp");
    assert_eq!(
        verify(&signer.token(&json!({ "alg": "ES256" }), &without.to_string()), &known).err(),
        Some(Rejected::Malformed)
    );
}

#[test]
fn a_claim_that_stands_twice_is_refused_also_within_another() {
    let signer = Signer::p256();
    let known = keys(&[signer.jwk("a")]);
    let text = claims().to_string();
    for twice in
        [text.replacen('{', r#"{"sub":"bob","#, 1), text.replace(r#"{"roles":"#, r#"{"roles":["books"],"roles":"#)]
    {
        assert_ne!(twice, text);
        assert_eq!(verify(&signer.token(&json!({ "alg": "ES256" }), &twice), &known).err(), Some(Rejected::Malformed));
    }
}

#[test]
fn an_unsigned_token_and_one_that_takes_the_public_key_for_a_secret_are_refused() {
    let signer = Signer::p256();
    let jwk = signer.jwk("a");
    let known = keys(std::slice::from_ref(&jwk));
    for alg in ["none", "None", "NONE", ""] {
        let message = format!("{}.{}", encoded(json!({ "alg": alg }).to_string()), encoded(claims().to_string()));
        assert_eq!(verify(&format!("{message}."), &known).err(), Some(Rejected::Algorithm), "{alg}");
    }
    let point = decoded(jwk["x"].as_str().unwrap()).unwrap();
    for secret in [point, jwk.to_string().into_bytes()] {
        let message = format!("{}.{}", encoded(r#"{"alg":"HS256","kid":"a"}"#), encoded(claims().to_string()));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let token = format!("{message}.{}", encoded(signature));
        assert_eq!(verify(&token, &known).err(), Some(Rejected::Algorithm));
    }
}

#[test]
fn a_key_that_the_token_brings_or_points_at_is_not_used() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let known = keys(&[signer.jwk("a")]);
    for header in [
        json!({ "alg": "ES256", "kid": "a", "jwk": stranger.jwk("a") }),
        json!({ "alg": "ES256", "kid": "a", "jku": "https://evil.example/jwks" }),
        json!({ "alg": "ES256", "x5u": "https://evil.example/cert", "x5c": ["AAAA"] }),
    ] {
        let token = stranger.token(&header, &claims().to_string());
        assert_eq!(verify(&token, &known).err(), Some(Rejected::Signature), "{header}");
    }
    for kid in ["b", "../../a", "a' OR '1'='1", "/dev/null", ""] {
        let token = signer.token(&json!({ "alg": "ES256", "kid": kid }), &claims().to_string());
        assert_eq!(verify(&token, &known).err(), Some(Rejected::UnknownKey), "{kid}");
    }
}

#[test]
fn an_algorithm_that_the_key_is_not_for_is_refused() {
    let signer = Signer::p256();
    let mut jwk = signer.jwk("a");
    let token = |alg| signer.token(&json!({ "alg": alg, "kid": "a" }), &claims().to_string());
    for alg in ["ES384", "RS256", "PS256", "EdDSA"] {
        assert_eq!(verify(&token(alg), &keys(&[jwk.clone()])).err(), Some(Rejected::UnknownKey), "{alg}");
    }
    jwk["use"] = json!("enc");
    assert_eq!(verify(&token("ES256"), &keys(&[jwk])).err(), Some(Rejected::UnknownKey));
    let only_rsa = Issuer { algorithms: vec![Algorithm::RS256], ..issuer() };
    let (token, known) = (token("ES256"), keys(&[signer.jwk("a")]));
    let refused = Unverified::read(&token).unwrap().verified(&only_rsa, &known, NOW);
    assert_eq!(refused.err(), Some(Rejected::Algorithm));
}

#[test]
fn two_keys_that_fit_a_token_without_a_key_id_are_not_tried_in_turn() {
    let (first, second) = (Signer::p256(), Signer::p256());
    let known = keys(&[first.jwk("a"), second.jwk("b")]);
    assert_eq!(
        verify(&first.token(&json!({ "alg": "ES256" }), &claims().to_string()), &known).err(),
        Some(Rejected::UnknownKey)
    );
    assert!(verify(&first.token(&json!({ "alg": "ES256", "kid": "a" }), &claims().to_string()), &known).is_ok());
}

#[test]
fn a_token_that_is_cut_changed_or_too_long_is_refused() {
    let signer = Signer::p256();
    let known = keys(&[signer.jwk("a")]);
    let token = signer.token(&json!({ "alg": "ES256" }), &claims().to_string());
    for end in 0..token.len() {
        assert!(verify(&token[..end], &known).is_err(), "cut after {end}");
    }
    let (_, signature) = token.rsplit_once('.').unwrap();
    let other = with("sub", json!("bob"));
    let swapped = format!("{}.{}.{signature}", encoded(r#"{"alg":"ES256"}"#), encoded(other));
    assert_eq!(verify(&swapped, &known).err(), Some(Rejected::Signature));
    for malformed in
        [format!("{token}."), format!("{token}="), format!(" {token}"), "..".to_owned(), "a.b.c".to_owned()]
    {
        assert_eq!(verify(&malformed, &known).err(), Some(Rejected::Malformed), "{malformed}");
    }
    assert_eq!(verify(&"a".repeat(1 << 20), &known).err(), Some(Rejected::TooLong));
    let critical = signer.token(&json!({ "alg": "ES256", "crit": ["exp"], "exp": 1 }), &claims().to_string());
    assert_eq!(verify(&critical, &known).err(), Some(Rejected::Critical));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(verify(&signer.token(&json!({ "alg": "ES256" }), &deep), &known).err(), Some(Rejected::Malformed));
}

#[test]
fn a_rejection_shows_nothing_of_the_token() {
    let signer = Signer::p256();
    let token = signer.token(&json!({ "alg": "ES256", "kid": "secret-kid" }), &claims().to_string());
    let rejected = verify(&token, &keys(&[])).unwrap_err();
    assert!(!format!("{rejected} {rejected:?}").contains("secret"));
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(parts in proptest::collection::vec(".{0,60}", 0..4)) {
        let token = parts.iter().map(encoded).collect::<Vec<_>>().join(".");
        prop_assert!(verify(&token, &keys(&[])).is_err());
        prop_assert!(verify(&parts.join("."), &keys(&[])).is_err());
    }
}
