//! Prints why `tenuto dev` is not ready, and what to do. Each reason is printed once, until the
//! process is ready again.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use command_line::output;
use probes::health::{Dependencies, Standing};

/// The pause between two probes.
const EVERY: Duration = Duration::from_secs(1);
/// A start that takes this many probes is reported.
const LONG_START: u32 = 5;
/// The most reasons that are printed until the process is ready: a reason may change with each
/// probe.
const MAX_PRINTED: usize = 20;

/// The lines that were printed since the process was last ready.
#[derive(Default)]
pub(super) struct Told(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    reasons: BTreeSet<String>,
    warnings: BTreeSet<String>,
    /// The number of probes in a row that found the process starting.
    starting: u32,
    /// Whether the last line reports that the process is not ready.
    is_unready: bool,
}

impl Told {
    /// Probes each second, and prints new lines.
    pub async fn tell(&self, dependencies: &Dependencies) -> Infallible {
        loop {
            tokio::time::sleep(EVERY).await;
            let standing = dependencies.standing().await;
            let lines =
                self.0.lock().unwrap_or_else(PoisonError::into_inner).new_lines(standing, dependencies.warnings());
            if !lines.is_empty() {
                output::announce(&lines.concat());
            }
        }
    }
}

impl Memory {
    /// The lines to print after a probe with this result.
    fn new_lines(&mut self, standing: Standing, warnings: Vec<String>) -> Vec<String> {
        let reasons = match standing {
            Standing::Ready => return self.ready(warnings),
            Standing::Starting(what) => {
                self.starting += 1;
                if self.starting < LONG_START {
                    return Vec::new();
                }
                vec![format!("it starts, and waits for {what}")]
            }
            Standing::NotReady(reason) => reason.lines().map(str::to_owned).collect(),
        };
        let mut lines = Vec::new();
        for reason in reasons {
            if self.reasons.len() < MAX_PRINTED && self.reasons.insert(reason.clone()) {
                lines.push(format!("Not ready: {}\n", output::printable(&reason)));
                self.is_unready = true;
            }
        }
        lines
    }

    fn ready(&mut self, warnings: Vec<String>) -> Vec<String> {
        let mut lines = Vec::new();
        if std::mem::take(&mut self.is_unready) {
            lines.push("Ready.\n".to_owned());
        }
        self.reasons.clear();
        self.starting = 0;
        let new = warnings.iter().filter(|warning| !self.warnings.contains(*warning));
        lines.extend(new.map(|warning| format!("Degraded: {}\n", output::printable(warning))));
        self.warnings = warnings.into_iter().collect();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_ready(reason: &str) -> Standing {
        Standing::NotReady(reason.to_owned())
    }

    #[test]
    fn each_reason_is_printed_once_until_the_process_is_ready_again() {
        let mut memory = Memory::default();
        let mut look = |standing| memory.new_lines(standing, Vec::new()).concat();
        assert_eq!(look(not_ready("another log; rebuild\n")), "Not ready: another log; rebuild\n");
        assert_eq!(look(not_ready("another log; rebuild\n")), "");
        assert_eq!(look(not_ready("the log is away\nPostgres is away\n")).lines().count(), 2);
        assert_eq!(look(not_ready("Postgres is away\n")), "");
        assert_eq!(look(Standing::Ready), "Ready.\n");
        assert_eq!(look(Standing::Ready), "");
        assert_eq!(look(not_ready("Postgres is away\n")), "Not ready: Postgres is away\n");
    }

    #[test]
    fn reasons_that_change_with_each_look_are_bounded() {
        let mut memory = Memory::default();
        let lines = (0..1_000).map(|n| memory.new_lines(not_ready(&format!("refused {n}")), Vec::new()).len());
        assert_eq!(lines.sum::<usize>(), MAX_PRINTED);
    }

    #[test]
    fn a_start_is_printed_once_it_takes_long() {
        let mut memory = Memory::default();
        let looks = (0..20).map(|_| memory.new_lines(Standing::Starting("the log"), Vec::new()).concat());
        assert_eq!(looks.collect::<String>(), "Not ready: it starts, and waits for the log\n");
    }

    #[test]
    fn a_warning_is_printed_when_it_is_new() {
        let mut memory = Memory::default();
        let mut look = |warning: &str| memory.new_lines(Standing::Ready, vec![warning.to_owned()]).concat();
        assert_eq!(look("3 keys are missing"), "Degraded: 3 keys are missing\n");
        assert_eq!(look("3 keys are missing"), "");
        assert_eq!(look("4 keys are missing"), "Degraded: 4 keys are missing\n");
    }
}
