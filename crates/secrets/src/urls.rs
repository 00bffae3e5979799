//! URLs of servers, which may hold a password.

/// Whether a URL holds a password: after the user, or as an option.
pub fn has_password(url: &str) -> bool {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (_, rest) = split_scheme(place);
    let password = rest.rsplit_once('@').and_then(|(user_info, _)| user_info.split_once(':'));
    password.is_some_and(|(_, password)| !password.is_empty()) || query.split('&').any(is_password)
}

/// A URL without its password. The user stays, so that the URL can be pasted.
pub fn without_secrets(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = split_scheme(place);
    let place = match rest.rsplit_once('@') {
        Some((user_info, place)) => {
            let user = user_info.split([':', '@']).next().unwrap_or_default();
            format!("{scheme}{user}@{place}")
        }
        None => place.to_owned(),
    };
    let harmless = query.split('&').filter(|pair| !pair.is_empty() && !is_password(pair));
    let query = harmless.collect::<Vec<_>>().join("&");
    if query.is_empty() { place } else { format!("{place}?{query}") }
}

/// The scheme with its colon and slashes, which may be missing, and the rest.
fn split_scheme(place: &str) -> (&str, &str) {
    place.find("://").map_or(("", place), |at| place.split_at(at + "://".len()))
}

/// Whether an option of a URL is a password; its name may be percent-encoded.
fn is_password(pair: &str) -> bool {
    let names = url::form_urlencoded::parse(pair.as_bytes()).map(|(name, _)| name.to_lowercase());
    names.into_iter().any(|name| name.starts_with("pass") || name.ends_with("password"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        for (url, shown) in [
            ("esdb://admin:changeit@a:1,b:2?tls=true", "esdb://admin@a:1,b:2?tls=true"),
            ("postgres://u@h:5432/db?host=%2Ftmp", "postgres://u@h:5432/db?host=%2Ftmp"),
            ("postgres://u:a@b@h/db", "postgres://u@h/db"),
            ("postgres://h/db?user=u&password=secret", "postgres://h/db?user=u"),
            ("postgres://h/db?%50assword=secret&sslpassword=secret&user=u", "postgres://h/db?user=u"),
            ("esdb://127.0.0.1:1?tls=false", "esdb://127.0.0.1:1?tls=false"),
            ("smtps://u:secret@mail:465", "smtps://u@mail:465"),
            ("u:secret@mail:465", "u@mail:465"),
        ] {
            assert_eq!(without_secrets(url), shown);
            assert_eq!(has_password(url), url != shown, "{url}");
        }
    }

    #[test]
    fn a_url_without_a_password_has_none() {
        for url in ["postgres://:5432/db", "postgres://u:@h/db", "esdb://u@h", "", "h:80", "postgres://h/db?", "a@b:c"]
        {
            assert!(!has_password(url), "{url}");
        }
        assert!(has_password("postgres://:secret@h/db"));
    }
}
