//! Signatures of tokens, checked by `ring`: public-key algorithms alone, so that a public key is
//! never taken for a shared secret (RFC 8725, section 2.1).

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The algorithms that an issuer may sign with.
pub const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Whether an issuer may sign with this key and this algorithm: it is a signature key, and for no
/// other algorithm.
pub(super) fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let signs = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)));
    let named = common.key_algorithm.is_none_or(|named| named == algorithm.into());
    signs && named && fits(&key.algorithm, algorithm)
}

fn fits(key: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    match key {
        AlgorithmParameters::RSA(_) => rsa(algorithm).is_some(),
        AlgorithmParameters::EllipticCurve(key) => match algorithm {
            Algorithm::ES256 => key.curve == EllipticCurve::P256,
            Algorithm::ES384 => key.curve == EllipticCurve::P384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

/// Whether the key made this signature of the message. A key or a signature that is malformed has
/// not.
pub(super) fn is_by(key: &Jwk, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    verified(key, algorithm, message, signature).is_some()
}

fn verified(key: &Jwk, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<()> {
    match &key.algorithm {
        AlgorithmParameters::RSA(key) => {
            let components = RsaPublicKeyComponents { n: decoded(&key.n)?, e: decoded(&key.e)? };
            components.verify(rsa(algorithm)?, message, signature).ok()
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let scheme: &'static dyn VerificationAlgorithm = match (algorithm, &key.curve) {
                (Algorithm::ES256, EllipticCurve::P256) => &ECDSA_P256_SHA256_FIXED,
                (Algorithm::ES384, EllipticCurve::P384) => &ECDSA_P384_SHA384_FIXED,
                _ => return None,
            };
            // An uncompressed point: SEC 1, section 2.3.3.
            let point = [&[4], decoded(&key.x)?.as_slice(), decoded(&key.y)?.as_slice()].concat();
            UnparsedPublicKey::new(scheme, point).verify(message, signature).ok()
        }
        AlgorithmParameters::OctetKeyPair(key) if algorithm == Algorithm::EdDSA => {
            UnparsedPublicKey::new(&ED25519, decoded(&key.x)?).verify(message, signature).ok()
        }
        _ => None,
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

/// Base64url without padding, as JOSE writes bytes (RFC 7515, section 2).
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
