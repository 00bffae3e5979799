//! Which events belong to a person's decision: only its first event names the person and the
//! reason.

use crate::views::Entry;

/// The index after the last entry that was decided together with this one, which a person wished.
/// All of them were caused by the one event.
pub fn decided_with(entries: &[Entry], head: usize) -> usize {
    let (Some(wished), Some(next)) = (entries.get(head), entries.get(head + 1)) else { return head + 1 };
    let cause = &next.causation_id;
    if cause.is_none() || !may_follow(wished, next) {
        return head + 1;
    }
    let together = |entry: &&Entry| entry.causation_id == *cause && entry.actor.is_none();
    head + 1 + entries[head + 1..].iter().take_while(together).count()
}

/// What follows in the same decision, and is no answer to what was asked before, which has a cause
/// as well.
fn may_follow(wished: &Entry, next: &Entry) -> bool {
    match next.kind.as_str() {
        "StepAccepted" | "StepCompleted" | "StepAttemptFailed" => false,
        // What is given up, when an order is canceled.
        "StepFailed" => wished.kind == "CompensationStarted" && next.step != wished.step,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::entry;

    fn caused(kind: &str, step: Option<&str>, cause: Option<&str>) -> Entry {
        Entry { causation_id: cause.map(str::to_owned), ..entry(0, 0, kind, step, kind) }
    }

    #[test]
    fn what_follows_in_the_same_decision_is_the_persons_too() {
        let entries = [
            caused("CompensationStarted", None, None),
            caused("StepFailed", Some("ship"), Some("1")),
            caused("StepStarted", Some("charge"), Some("1")),
            caused("StepCompleted", Some("charge"), Some("3")),
        ];
        assert_eq!(decided_with(&entries, 0), 3);
    }

    #[test]
    fn an_answer_that_comes_next_is_not() {
        for kind in ["StepAccepted", "StepCompleted", "StepAttemptFailed", "StepFailed"] {
            let entries = [caused("StepStarted", Some("charge"), None), caused(kind, Some("charge"), Some("1"))];
            assert_eq!(decided_with(&entries, 0), 1, "{kind}");
        }
        let entries = [caused("OrderPaused", None, None), caused("StepStarted", Some("charge"), None)];
        assert_eq!(decided_with(&entries, 0), 1);
        assert_eq!(decided_with(&entries, 1), 2);
    }
}
