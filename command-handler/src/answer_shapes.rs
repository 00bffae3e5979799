//! Bodies as participants send them, for the tables of what an answer means.

/// A body, with a name for it and its media type.
pub(crate) struct Shape {
    pub name: &'static str,
    pub media_type: &'static str,
    pub body: Vec<u8>,
}

const JSON: &str = "application/json";

/// Each shape of a body that the tables have.
pub(crate) fn shapes() -> Vec<Shape> {
    let short: [(&str, &str, &[u8]); 52] = [
        ("empty", JSON, b""),
        ("empty, without a media type", "", b""),
        ("white space", JSON, b" \r\n\t"),
        ("byte order mark alone", JSON, b"\xef\xbb\xbf"),
        ("byte order mark and an answer", JSON, b"\xef\xbb\xbf{\"outcome\":\"ok\"}"),
        ("UTF-16", JSON, b"\xff\xfe{\x00}\x00"),
        ("invalid UTF-8", JSON, b"{\"outcome\":\"\xff\"}"),
        ("OK", "text/plain", b"OK"),
        ("text of several lines", "text/plain", b"no\r\n\tfunds\r\n"),
        ("text under JSON's media type", JSON, b"done"),
        (
            "page of HTML",
            "text/html",
            b"<!DOCTYPE html><html><head><title>503</title></head><body><h1>Down</h1></body></html>",
        ),
        ("page of HTML under JSON's media type", JSON, b"<html><body>Bad gateway</body></html>"),
        ("XML", "application/xml", b"<?xml version=\"1.0\"?><error code=\"7\">No funds</error>"),
        ("form", "application/x-www-form-urlencoded", b"outcome=ok&id=7"),
        ("an answer under text's media type", "text/plain", b"{\"outcome\":\"ok\"}"),
        ("an answer without a media type", "", b"{\"outcome\":\"ok\"}"),
        ("an answer with a charset", "application/json; charset=utf-8", b"{\"outcome\":\"ok\"}"),
        ("outcome", JSON, b"{\"outcome\":\"ok\"}"),
        ("outcome and data", JSON, b"{\"outcome\":\"ok\",\"data\":{\"id\":\"c-1\"}}"),
        ("outcome that the step does not name", JSON, b"{\"outcome\":\"perhaps\"}"),
        ("outcome in capitals", JSON, b"{\"outcome\":\"OK\"}"),
        ("outcome null", JSON, b"{\"outcome\":null}"),
        ("outcome empty", JSON, b"{\"outcome\":\"\"}"),
        ("outcome a number", JSON, b"{\"outcome\":1}"),
        ("outcome a boolean", JSON, b"{\"outcome\":true}"),
        ("outcome an object", JSON, b"{\"outcome\":{\"name\":\"ok\"}}"),
        ("outcome an array", JSON, b"{\"outcome\":[\"ok\"]}"),
        ("outcome with a control character", JSON, b"{\"outcome\":\"o\\u0007k\"}"),
        ("outcome twice", JSON, b"{\"outcome\":\"ok\",\"outcome\":\"declined\"}"),
        ("data alone", JSON, b"{\"data\":{\"id\":\"c-1\"}}"),
        ("data null", JSON, b"{\"data\":null}"),
        ("data and more", JSON, b"{\"outcome\":\"ok\",\"more\":1}"),
        ("neither outcome nor data", JSON, b"{\"status\":\"declined\"}"),
        ("empty object", JSON, b"{}"),
        ("empty array", JSON, b"[]"),
        ("array", JSON, b"[{\"outcome\":\"ok\"}]"),
        ("string", JSON, b"\"ok\""),
        ("number", JSON, b"7"),
        ("null", JSON, b"null"),
        ("boolean", JSON, b"true"),
        ("double of 17 digits", JSON, b"{\"outcome\":\"ok\",\"data\":{\"rate\":0.12345678901234567}}"),
        ("integer of 20 digits", JSON, b"{\"outcome\":\"ok\",\"data\":{\"id\":12345678901234567890}}"),
        ("integer of 23 digits", JSON, b"{\"outcome\":\"ok\",\"data\":{\"id\":12345678901234567890123}}"),
        ("number out of range", JSON, b"{\"outcome\":\"ok\",\"data\":1e999}"),
        ("NaN", JSON, b"{\"outcome\":\"ok\",\"data\":NaN}"),
        ("NUL in a string", JSON, b"{\"outcome\":\"ok\",\"data\":\"\\u0000\"}"),
        ("lone surrogate", JSON, b"{\"outcome\":\"ok\",\"data\":\"\\ud800\"}"),
        ("cut off", JSON, b"{\"outcome\":\"ok\",\"da"),
        ("two values", JSON, b"{\"outcome\":\"ok\"}{\"outcome\":\"declined\"}"),
        (
            "problem",
            "application/problem+json",
            b"{\"type\":\"https://pay.example/no-funds\",\"title\":\"No\",\"detail\":\"no funds\"}",
        ),
        ("problem that is no object", "application/problem+json", b"\"no funds\""),
        ("message", JSON, b"{\"message\":\"no funds\"}"),
    ];
    let error: [(&str, &[u8]); 3] = [
        ("error", b"{\"error\":\"no funds\"}"),
        ("error in an object", b"{\"error\":{\"code\":7,\"message\":\"no funds\"}}"),
        ("errors", b"{\"errors\":[{\"code\":7,\"detail\":\"no funds\"}]}"),
    ];
    let nested = |depth: usize| format!("{{\"data\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let text = |size: usize| format!("{{\"outcome\":\"ok\",\"data\":\"{}\"}}", "x".repeat(size)).into_bytes();
    let long_outcome = |length: usize| format!("{{\"outcome\":\"{}\"}}", "k".repeat(length)).into_bytes();
    let large = [
        ("nested 20 deep", nested(20)),
        ("nested 200 deep", nested(200)),
        ("nested 20,000 deep", nested(20_000)),
        ("data of 60 kB", text(60_000)),
        ("data of 70 kB", text(70_000)),
        ("data of 250 kB", text(250_000)),
        ("outcome of 64 characters", long_outcome(64)),
        ("outcome of 65 characters", long_outcome(65)),
    ];
    let short = short.into_iter().map(|(name, media_type, body)| Shape { name, media_type, body: body.to_vec() });
    let error = error.into_iter().map(|(name, body)| Shape { name, media_type: JSON, body: body.to_vec() });
    let large = large.into_iter().map(|(name, body)| Shape { name, media_type: JSON, body });
    short.chain(error).chain(large).collect()
}

/// Compares a table with its golden file, or writes it, where `UPDATE_GOLDEN` is set.
pub(crate) fn golden(name: &str, table: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, table).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let differs = golden.lines().zip(table.lines()).find(|(golden, line)| golden != line);
    assert!(golden == table, "{}: {differs:?}; UPDATE_GOLDEN=1 writes it again", file.display());
}
