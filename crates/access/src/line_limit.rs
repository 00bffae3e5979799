//! How many lines are logged of what anyone can cause as often as it likes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most lines a second.
const LINES: u32 = 10;

/// A limit of lines a second.
#[derive(Debug, Default)]
pub struct LineLimit(Mutex<Option<Second>>);

/// The second that is being logged, and the lines in it.
#[derive(Debug, Clone, Copy)]
struct Second {
    began: Instant,
    lines: u32,
}

impl LineLimit {
    /// Whether one more line may be logged.
    pub fn admits(&self, now: Instant) -> bool {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = second.filter(|second| now.duration_since(second.began) < Duration::from_secs(1));
        let Second { began, lines } = current.unwrap_or(Second { began: now, lines: 0 });
        *second = Some(Second { began, lines: lines.saturating_add(1) });
        lines < LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_of_a_second_are_admitted_and_as_many_of_the_next_one() {
        let (limit, begun) = (LineLimit::default(), Instant::now());
        for second in 0..3 {
            let admitted = (0..100).filter(|_| limit.admits(begun + Duration::from_secs(second))).count();
            assert_eq!(admitted, 10);
        }
    }
}
