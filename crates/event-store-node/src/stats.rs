//! Figures about the process and the machine, under `EventStoreDB`'s names for them.
//!
//! They come from `/proc`. Figures that the system does not have there, such as on a system other
//! than Linux, are left out.

use std::fmt::Display;
use std::fs;
use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

/// Nearly the time when the process began, because a node is opened early.
static STARTED: LazyLock<DateTime<Utc>> = LazyLock::new(Utc::now);

/// Notes when the process began. Call it once, early.
pub(super) fn begin() {
    LazyLock::force(&STARTED);
}

type Named = (String, String);

/// The current figures. `position`: the last one in the log.
pub(super) fn now(position: u64) -> Vec<Named> {
    let started = STARTED.to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut stats = vec![
        named("proc-startTime", started),
        named("proc-id", std::process::id()),
        named("es-checksum", position),
        named("es-checksumNonFlushed", position),
    ];
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    stats.extend(process(&read("/proc/self/status")));
    stats.extend(disk(&read("/proc/self/io")));
    stats.extend(memory(&read("/proc/meminfo")));
    stats.extend(load(&read("/proc/loadavg")));
    stats
}

/// The figures in the form of a server's `/stats`: an object for each group, with a nested object
/// for each part of a name.
pub(super) fn nested(position: u64) -> Value {
    let mut stats = Value::Null;
    for (name, value) in now(position) {
        // All names are ours, and no name is the beginning of another.
        let place = name.split('-').fold(&mut stats, |object, part| &mut object[part]);
        *place = number_or_text(value);
    }
    stats
}

fn number_or_text(value: String) -> Value {
    serde_json::from_str(&value).ok().filter(Value::is_number).unwrap_or(Value::String(value))
}

fn named(name: &str, value: impl Display) -> Named {
    (name.into(), format!("{value}"))
}

/// `/proc/self/status`
fn process(text: &str) -> impl Iterator<Item = Named> {
    let memory = bytes(text, "VmRSS").map(|bytes| named("proc-mem", bytes));
    memory.into_iter().chain(number(text, "Threads").map(|count| named("proc-threadsCount", count)))
}

/// `/proc/self/io`
fn disk(text: &str) -> impl Iterator<Item = Named> {
    let names = [
        ("read_bytes", "proc-diskIo-readBytes"),
        ("write_bytes", "proc-diskIo-writtenBytes"),
        ("syscr", "proc-diskIo-readOps"),
        ("syscw", "proc-diskIo-writeOps"),
    ];
    names.into_iter().filter_map(move |(key, name)| number(text, key).map(|value| named(name, value)))
}

/// `/proc/meminfo`
fn memory(text: &str) -> impl Iterator<Item = Named> {
    let names = [("MemAvailable", "sys-freeMem"), ("MemTotal", "sys-totalMem")];
    names.into_iter().filter_map(move |(key, name)| bytes(text, key).map(|value| named(name, value)))
}

/// `/proc/loadavg`
fn load(text: &str) -> impl Iterator<Item = Named> {
    let names = ["sys-loadavg-1m", "sys-loadavg-5m", "sys-loadavg-15m"];
    names.into_iter().zip(text.split_whitespace()).map(|(name, value)| named(name, value))
}

/// The number in a line such as `Threads: 9`.
fn number(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The number of bytes in a line such as `MemTotal:  16384 kB`.
fn bytes(text: &str, key: &str) -> Option<u64> {
    number(text, key)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_whole_name_and_in_bytes() {
        let status = "Name:\tnode\nVmRSSx:\t7 kB\nVmRSS:\t   12 kB\nThreads:\t9\n";
        let read: Vec<_> = process(status).collect();
        assert_eq!(read, [named("proc-mem", 12 * 1024), named("proc-threadsCount", 9)]);
    }

    #[test]
    fn figures_that_the_system_does_not_have_are_left_out() {
        assert_eq!(process("").chain(disk("")).chain(memory("MemTotal: much kB")).chain(load("")).count(), 0);
    }

    #[test]
    fn the_page_lists_figures_by_group() {
        let stats = nested(7);
        assert_eq!(stats["es"]["checksum"], 7);
        assert_eq!(stats["proc"]["id"], std::process::id());
        assert!(stats["proc"]["startTime"].is_string() && stats.get("proc-id").is_none(), "{stats}");
    }

    #[test]
    fn the_load_has_three_figures() {
        let read: Vec<_> = load("0.50 0.25 0.10 1/234 5678").collect();
        assert_eq!(read.last(), Some(&named("sys-loadavg-15m", "0.10")));
        assert_eq!(read.len(), 3);
    }
}
