//! The address of a participant: an `http` or `https` URL, in which `${NAME}` stands for a setting of the command handler.

/// The longest address.
const MAX_LENGTH: usize = 2048;

/// Says what is wrong with an address.
pub(super) fn check(url: &str) -> Result<(), String> {
    if url.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if url.len() > MAX_LENGTH {
        return Err(format!("must be at most {MAX_LENGTH} long"));
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("must not hold spaces".to_owned());
    }
    let mut rest = url;
    while let Some(start) = rest.find("${") {
        let name = &rest[start + 2..];
        let end = name.find('}').ok_or("has a '${' without its '}'")?;
        if !is_setting(&name[..end]) {
            return Err(format!("'${{{}}}' is no setting: write it like ${{SHIPPING_URL}}", &name[..end]));
        }
        rest = &name[end + 1..];
    }
    if url.starts_with("${") { Ok(()) } else { starts_like_a_url(url) }
}

fn is_setting(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn starts_like_a_url(url: &str) -> Result<(), String> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with(['/', '?', '#']) => Ok(()),
        _ => Err("must start with http:// or https:// and a host, or with a setting like ${SHIPPING_URL}".to_owned()),
    }
}
