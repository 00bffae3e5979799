//! URLs of servers, for people.

/// A URL without its password. The user stays, so that the URL can be pasted.
pub fn without_secrets(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let place = match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, place))) => {
            let user = rest.split([':', '@']).next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        _ => place.to_owned(),
    };
    let harmless = query.split('&').filter(|pair| !pair.is_empty() && !pair.to_lowercase().starts_with("pass"));
    let query = harmless.collect::<Vec<_>>().join("&");
    if query.is_empty() { place } else { format!("{place}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        assert_eq!(without_secrets("esdb://admin:changeit@a:1,b:2?tls=true"), "esdb://admin@a:1,b:2?tls=true");
        assert_eq!(without_secrets("postgres://u@h:5432/db?host=%2Ftmp"), "postgres://u@h:5432/db?host=%2Ftmp");
        assert_eq!(without_secrets("postgres://u:a@b@h/db"), "postgres://u@h/db");
        assert_eq!(without_secrets("postgres://h/db?user=u&password=secret"), "postgres://h/db?user=u");
        assert_eq!(without_secrets("esdb://127.0.0.1:1?tls=false"), "esdb://127.0.0.1:1?tls=false");
    }
}
