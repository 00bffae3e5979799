//! The built files, in the binary.

use std::io::Write;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// A file of the console.
#[derive(Debug)]
pub struct File {
    /// Under `/ui/`.
    path: &'static str,
    pub media_type: &'static str,
    bytes: &'static [u8],
    made: LazyLock<Made>,
}

/// What is computed once from a file's bytes.
#[derive(Debug)]
struct Made {
    hash: String,
    /// Smaller, or missing.
    gzip: Option<Vec<u8>>,
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
        const BYTES: &[u8] = include_bytes!(concat!("../../../console/dist/", $path));
        File { path: $path, media_type: $media_type, bytes: BYTES, made: LazyLock::new(|| Made::of(BYTES)) }
    }};
}

/// The one page.
pub static PAGE: File = file!("index.html", "text/html; charset=utf-8");

/// What the page loads.
static FILES: [File; 3] = [
    file!("assets/console.js", "text/javascript; charset=utf-8"),
    file!("assets/console.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
];

/// The file at a path under `/ui/`.
pub fn at(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl Made {
    fn of(bytes: &[u8]) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder.write_all(bytes).and_then(|()| encoder.finish()).ok();
        Self { hash, gzip: gzip.filter(|gzip| gzip.len() < bytes.len()) }
    }
}

impl File {
    /// The smallest variant that this client takes.
    pub fn for_a_client_that_accepts(&'static self, headers: &HeaderMap) -> Variant {
        let made = &*self.made;
        match made.gzip.as_deref().filter(|_| accepts_gzip(headers)) {
            Some(gzip) => Variant { bytes: gzip, tag: format!("\"{}-gzip\"", made.hash), encoding: Some("gzip") },
            None => Variant { bytes: self.bytes, tag: format!("\"{}\"", made.hash), encoding: None },
        }
    }

    /// Whether the client has this file (RFC 9110, 13.1.2).
    pub fn is_known_by(&self, headers: &HeaderMap) -> bool {
        let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| {
            let hash = tag.trim_start_matches("W/").trim_matches('"');
            tag == "*" || hash.strip_suffix("-gzip").unwrap_or(hash) == self.made.hash
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
