//! The user and the password of a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// A user and a password. Never printed.
#[derive(PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) login: String,
    pub(super) password: String,
}

/// The header cannot be read, or the scheme is another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Credentials {
    /// Those of a request; `None`: it has none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Unreadable> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Unreadable),
            (Some(one), None) => one.to_str().ok().and_then(basic).map(Some).ok_or(Unreadable),
        }
    }
}

/// `Basic`, in any case, and then base64 of `LOGIN:PASSWORD` (RFC 7617).
fn basic(text: &str) -> Option<Credentials> {
    let (scheme, encoded) = text.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(decoded).ok()?;
    let (login, password) = text.split_once(':')?;
    Some(Credentials { login: login.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(headers: &[&str]) -> Result<Option<(String, String)>, Unreadable> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        Credentials::of(&map).map(|found| found.map(|Credentials { login, password }| (login, password)))
    }

    #[test]
    fn a_user_and_a_password_are_read_and_anything_else_is_refused() {
        assert_eq!(of(&[]), Ok(None));
        let anna = format!("Basic {}", STANDARD.encode("anna:a:b ü"));
        assert_eq!(of(&[&anna]), Ok(Some(("anna".into(), "a:b ü".into()))));
        assert_eq!(of(&[&anna.replacen("Basic", "basic", 1)]), Ok(Some(("anna".into(), "a:b ü".into()))));
        let no_colon = format!("Basic {}", STANDARD.encode("anna"));
        let no_utf8 = format!("Basic {}", STANDARD.encode(b"a:\xff"));
        for wrong in ["Bearer abc", "Basic", "Basic !", &no_colon, &no_utf8] {
            assert_eq!(of(&[wrong]), Err(Unreadable), "{wrong}");
        }
        assert_eq!(of(&[&anna, &anna]), Err(Unreadable));
    }
}
