//! The effect of interruptions on the leader.

use std::time::Duration;

use leader_consumer::{Consequence, Interrupted, LogAlarm, Term, Terms, lead};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Terms that end with these results, in order.
struct Script {
    ends: Vec<Consequence>,
    terms: usize,
    stop: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct End(Consequence);

impl Interrupted for End {
    fn consequence(&self) -> Consequence {
        self.0.clone()
    }
}

impl Term for &mut Script {
    type Interruption = End;

    async fn lead(&mut self) -> Result<(), End> {
        let end = self.ends.get(self.terms).cloned();
        self.terms += 1;
        end.map_or_else(
            || {
                self.stop.cancel();
                Ok(())
            },
            |end| Err(End(end)),
        )
    }
}

async fn led(ends: Vec<Consequence>) -> (Result<(), End>, usize, Option<String>, Duration) {
    let (stop, alarm) = (CancellationToken::new(), LogAlarm::default());
    let mut script = Script { ends, terms: 0, stop: stop.clone() };
    let terms = Terms { name: "a", max_pause: Duration::from_secs(1), alarm: &alarm, remedy: "look" };
    let begun = Instant::now();
    let outcome = lead(terms, &mut script, &stop).await;
    (outcome, script.terms, alarm.reason(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn terms_follow_one_another_until_stopped_with_pauses_that_grow_up_to_a_bound() {
    let (outcome, terms, alarm, took) = led(vec![Consequence::Pause; 8]).await;
    assert!(outcome.is_ok());
    assert_eq!((terms, alarm), (9, None));
    let expected: u64 = [50, 100, 200, 400, 800, 1000, 1000, 1000].iter().sum();
    assert!(took.as_millis().abs_diff(expected.into()) < 50, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_causes_no_pause() {
    let (_, terms, _, took) = led(vec![Consequence::Again; 20]).await;
    assert_eq!(terms, 21);
    assert!(took < Duration::from_millis(50), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn another_log_raises_the_alarm_with_the_remedy_and_is_checked_again() {
    let (_, terms, alarm, _) = led(vec![Consequence::WrongLog("another log".into())]).await;
    assert_eq!((terms, alarm.as_deref()), (2, Some("a: another log; look")));
}

#[tokio::test(start_paused = true)]
async fn the_terms_end_if_waiting_cannot_help() {
    let (outcome, terms, ..) = led(vec![Consequence::Pause, Consequence::End]).await;
    assert!(outcome.is_err());
    assert_eq!(terms, 2);
}
