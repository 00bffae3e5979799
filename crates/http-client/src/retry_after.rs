//! The header `Retry-After`.

use std::time::{Duration, SystemTime};

/// How long a server asks its clients to wait: a number of seconds, or a date in one of the three
/// forms of RFC 9110. `None`: the text is neither, or the date has passed.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    httpdate::parse_http_date(value).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_in_any_of_its_three_forms() {
        // Sun, 06 Nov 1994 08:49:00 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(13_068_529);
        let seconds = |value: &str| retry_after(value, now).map(|wait| wait.as_secs());
        for (value, wait) in [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("0007", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("4294967296", Some(4_294_967_296)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None),
            ("Sun Nov  6 08:48:37 1994", None),
            ("", None),
            ("soon", None),
            ("-7", None),
            ("+7", None),
            ("7.5", None),
            ("7s", None),
            ("0x7", None),
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("\u{664}", None),
        ] {
            assert_eq!(seconds(value), wait, "{value:?}");
        }
    }
}
