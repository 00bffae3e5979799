//! The address of a participant: an `http` or `https` URL, which may begin with `${NAME}`, a
//! setting of the command handler.
//!
//! This file checks only rules for all definitions, also for old ones. [`crate::workflow::address`]
//! has the rules for new ones.

use crate::workflow::address::MAX_LENGTH;

/// Checks an address.
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
    let Some(start) = url.find("${") else { return starts_like_a_url(url) };
    // At another place, the setting's value would be sent to the host before it.
    if start > 0 || url[2..].contains("${") {
        return Err("must have a setting like ${SHIPPING_URL} at its very start only".to_owned());
    }
    let end = url.find('}').ok_or("has a '${' without its '}'")?;
    let name = &url[2..end];
    if is_setting(name) {
        Ok(())
    } else {
        Err(format!("'${{{name}}}' is not a setting: write it like ${{SHIPPING_URL}}"))
    }
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
