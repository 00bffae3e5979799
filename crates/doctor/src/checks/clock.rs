//! The clock of a server, compared with that of this machine.

use chrono::TimeDelta;

use crate::finding::Finding;

/// From this difference of clocks on, times of events and of deadlines are confusing.
const CLOCK_DIFFERS: TimeDelta = TimeDelta::seconds(2);
/// From this one on, tokens and certificates that are valid are refused: access files allow this
/// leeway by default.
const CLOCK_IS_WRONG: TimeDelta = TimeDelta::seconds(30);

/// What a difference of clocks means. `ahead`: of the server, to this machine.
pub fn clock(server: &str, ahead: TimeDelta) -> Finding {
    let about = format!("clock of {server}");
    let seconds = ahead.num_seconds();
    if ahead.abs() <= CLOCK_DIFFERS {
        return Finding::ok(about, format!("differs by {} s", seconds.abs()));
    }
    let way = if seconds > 0 { "ahead of" } else { "behind" };
    let told = format!("it is {} s {way} the clock of this machine; synchronise both, with NTP", seconds.abs());
    if ahead.abs() > CLOCK_IS_WRONG { Finding::fault(about, told) } else { Finding::warning(about, told) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn a_clock_that_differs_is_a_warning_and_one_that_tokens_do_not_survive_is_a_fault() {
        for (seconds, level) in [
            (0, Level::Ok),
            (-2, Level::Ok),
            (3, Level::Warning),
            (-30, Level::Warning),
            (31, Level::Fault),
            (-4000, Level::Fault),
        ] {
            let found = clock("the log", TimeDelta::seconds(seconds));
            assert_eq!(found.level, level, "{found:?}");
            assert!(level == Level::Ok || found.detail.contains("NTP"), "{found:?}");
        }
        assert!(clock("Postgres", TimeDelta::seconds(-90)).detail.contains("90 s behind"));
    }
}
