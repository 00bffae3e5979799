//! The built files, in the binary: packed with gzip by `build.rs`.

use std::io::Read;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// A file of the console.
#[derive(Debug)]
pub struct File {
    /// Under `/ui/`.
    path: &'static str,
    pub media_type: &'static str,
    gzip: &'static [u8],
    /// For clients without gzip.
    plain: LazyLock<Vec<u8>>,
    hash: LazyLock<String>,
}

/// A file in one encoding.
#[derive(Debug)]
pub struct Variant {
    pub bytes: &'static [u8],
    /// Its strong entity tag.
    pub tag: String,
    pub encoding: Option<&'static str>,
}

macro_rules! file {
    ($path:literal, $media_type:literal) => {{
        const GZIP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $path, ".gz"));
        File {
            path: $path,
            media_type: $media_type,
            gzip: GZIP,
            plain: LazyLock::new(|| unpacked(GZIP)),
            hash: LazyLock::new(|| URL_SAFE_NO_PAD.encode(Sha256::digest(GZIP))),
        }
    }};
}

/// The one page of the console.
pub static PAGE: File = file!("index.html", "text/html; charset=utf-8");

/// The page at `/graphql`.
pub static GRAPHIQL: File = file!("graphiql.html", "text/html; charset=utf-8");

/// What the pages load.
static FILES: [File; 5] = [
    file!("assets/console.js", "text/javascript; charset=utf-8"),
    file!("assets/console.css", "text/css; charset=utf-8"),
    file!("assets/graphiql.js", "text/javascript; charset=utf-8"),
    file!("assets/graphiql.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
];

/// The file at a path under `/ui/`.
pub fn at(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut plain).expect("the build has packed it");
    plain
}

impl File {
    /// The smallest variant that this client takes.
    pub fn for_a_client_that_accepts(&'static self, headers: &HeaderMap) -> Variant {
        if accepts_gzip(headers) {
            Variant { bytes: self.gzip, tag: format!("\"{}-gzip\"", *self.hash), encoding: Some("gzip") }
        } else {
            Variant { bytes: &self.plain, tag: format!("\"{}\"", *self.hash), encoding: None }
        }
    }

    /// Whether the client has this file (RFC 9110, 13.1.2).
    pub fn is_known_by(&self, headers: &HeaderMap) -> bool {
        let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| {
            let hash = tag.trim_start_matches("W/").trim_matches('"');
            tag == "*" || hash.strip_suffix("-gzip").unwrap_or(hash) == *self.hash
        })
    }
}

/// Whether gzip is among what the client accepts, with a weight that is not zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings = accepted.flat_map(|value| value.split(',')).map(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        (name.trim().to_ascii_lowercase(), weight.unwrap_or(1.0) > 0.0)
    });
    let codings: Vec<_> = codings.filter(|(name, _)| name == "gzip" || name == "*").collect();
    let named = codings.iter().find(|(name, _)| name == "gzip").or(codings.first());
    named.is_some_and(|(_, is_wanted)| *is_wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> bool {
        accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
    }

    #[test]
    fn gzip_is_sent_only_to_clients_that_accept_it() {
        for value in ["gzip", "br, GZIP", "*", "deflate, gzip;q=0.5"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "identity"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
