//! The body of an answer, of which only so much is read.

use bytes::{Bytes, BytesMut};
use reqwest::{Error, Response};

/// The whole body; `None`: it is too large.
pub async fn whole(mut response: Response, max_bytes: usize) -> Result<Option<Bytes>, Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

/// The first bytes of a body, and why it broke off, if it did. The rest is not read.
pub async fn at_most(mut response: Response, max_bytes: usize) -> (Vec<u8>, Option<Error>) {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() < max_bytes => {
                let room = max_bytes - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(_) => return (bytes, None),
            Err(error) => return (bytes, Some(error)),
        }
    }
}
