//! The figures of the process, under the names that every Prometheus client library gives them.
//!
//! They come from `/proc`. What a system does not have there is left out.

use std::fmt;
use std::fs;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::Metric;
use crate::reloads::RELOADS;

crate::metrics! {
    BUILD: 1 = Metric::info("tenuto_build", ["version"], "Which Tenuto this is");
    CPU: 0 = Metric::counter("process_cpu_seconds", [], "Processor time of the process, of user and system together");
    MEMORY: 0 = Metric::gauge("process_resident_memory_bytes", [], "Resident memory of the process");
    OPEN_FILES: 0 = Metric::gauge("process_open_fds", [], "Open file descriptors of the process");
    MAX_FILES: 0 = Metric::gauge("process_max_fds", [], "The most file descriptors that the process may have open");
    STARTED: 0 = Metric::gauge("process_start_time_seconds", [], "When the process started, in Unix time");
    THREADS: 0 = Metric::gauge("process_threads", [], "Threads of the process");
    RELOADED: 1 = Metric::counter(
        "tenuto_config_reloads",
        ["result"],
        "Reloads of the configuration, by result: ok, or failed, after which the earlier values count on",
    );
    LAST_FAILED: 0 = Metric::gauge(
        "tenuto_config_last_reload_failed",
        [],
        "1 if the last reload of the configuration failed",
    );
    LAST_READ: 0 = Metric::gauge(
        "tenuto_config_last_success_seconds",
        [],
        "When the configuration was last read without a fault, at the start or by a reload, in Unix time",
    );
}

/// The unit of times in `/proc`, which Linux fixes for all programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process.
#[derive(Debug)]
pub struct Process {
    /// Its version.
    pub version: &'static str,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        BUILD.samples(&mut encoder)?.info([self.version])?;
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (stat, status, limits) = (read("/proc/self/stat"), read("/proc/self/status"), read("/proc/self/limits"));
        if let Some(seconds) = cpu_seconds(&stat) {
            CPU.write(&mut encoder, seconds)?;
        }
        if let Some(kibibytes) = number(&status, "VmRSS:") {
            MEMORY.write(&mut encoder, kibibytes * 1024)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            OPEN_FILES.write(&mut encoder, open.count() as u64)?;
        }
        if let Some(max) = number(&limits, "Max open files") {
            MAX_FILES.write(&mut encoder, max)?;
        }
        let started = start_time(&stat, &read("/proc/stat"));
        if let Some(started) = started {
            STARTED.write(&mut encoder, started)?;
        }
        if let Some(last) = RELOADS.last().map(|last| Duration::from_secs(last).as_secs_f64()).or(started) {
            LAST_READ.write(&mut encoder, last)?;
        }
        LAST_FAILED.write(&mut encoder, u64::from(RELOADS.has_last_failed()))?;
        let mut samples = RELOADED.samples(&mut encoder)?;
        RELOADS.counts().into_iter().try_for_each(|(result, count)| samples.add([result], count))?;
        if let Some(threads) = number(&status, "Threads:") {
            THREADS.write(&mut encoder, threads)?;
        }
        Ok(())
    }
}

/// The field of that number in `/proc/self/stat`, counted from 1. The name of the program, the
/// second field, may have spaces.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start_time(stat: &str, machine: &str) -> Option<f64> {
    let booted: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + field(stat, 22)? / TICKS_PER_SECOND)
}

/// The first number in the line that begins so.
fn number(text: &str, begin: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(begin))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Page;

    #[test]
    fn times_are_read_after_the_name_of_the_program() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 9 0 1000 1 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(start_time(stat, "cpu 1\nbtime 500\n"), Some(510.0));
        assert_eq!(start_time(stat, ""), None);
        assert_eq!(cpu_seconds("7 (a"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_linux_has_every_figure() {
        let text = Page::default().with(Process { version: "1.2.3" }).text().unwrap();
        for described in METRICS {
            let sample = described.sampled();
            assert!(text.lines().any(|line| line.starts_with(&sample)), "{sample}\n{text}");
        }
        assert!(text.contains("tenuto_build_info{version=\"1.2.3\"} 1\n"), "{text}");
    }
}
