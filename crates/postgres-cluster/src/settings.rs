//! The server's settings, on its command line, so that no file of an earlier version can contradict
//! them.

use std::path::Path;

/// The only role, which owns the cluster.
pub(crate) const USER: &str = "tenuto";
/// It only names the socket; the server does not listen on the network.
pub(crate) const PORT: u16 = 5432;

/// The server's settings, as name and value.
pub(crate) fn settings(socket_folder: &Path, durable: bool) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("listen_addresses", String::new()),
        ("unix_socket_directories", quoted(&socket_folder.to_string_lossy())),
        ("unix_socket_permissions", "0700".into()),
        ("port", PORT.to_string()),
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("lc_messages", "C".into()),
        ("log_destination", "stderr".into()),
        ("logging_collector", "off".into()),
        ("log_line_prefix", String::new()),
    ];
    let rest: &[(&'static str, &str)] = if durable { &DURABLE } else { &FLEETING };
    settings.extend(rest.iter().map(|(name, value)| (*name, (*value).to_owned())));
    settings
}

/// For data that must survive a power cut.
const DURABLE: [(&str, &str); 5] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("max_connections", "100"),
    ("shared_buffers", "128MB"),
];

/// For data that end with the process: fast, small, and with room for the pools of many tests.
const FLEETING: [(&str, &str); 9] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_connections", "300"),
    ("shared_buffers", "32MB"),
    ("max_wal_size", "128MB"),
    // In files of the cluster's folder, which are removed with it.
    ("dynamic_shared_memory_type", "mmap"),
];

/// The setting is a list, so a path with a comma or a space needs quotes.
fn quoted(item: &str) -> String {
    format!("\"{}\"", item.replace('"', "\"\""))
}
