//! What an answer of a participant means: one table, by status; the body only adds to it. The book
//! shows it (`docs/participant/http.md`), and `docs/decisions/answer-table.md` has the reasons.
//!
//! A 409 after an unclear attempt means "still running", as in the draft on `Idempotency-Key`, and
//! so does a 409 to the undo of an action without an answer. A request that finds its kept
//! connection closed is sent once more within the same attempt: under its key the participant acts
//! once.

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Done.
    Done,
    /// Accepted, to be answered later.
    Accepted,
    /// "No", for good.
    Refused,
    /// "Not now", or nothing that can be relied on: asked again.
    Unclear,
    /// Not the participant's word, but a mistake of the deployment: asked again slowly, then held
    /// for a person.
    Misconfigured {
        /// Whether the participant may have acted all the same.
        maybe_done: bool,
    },
}

/// What is known of an answer besides its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// An attempt before this one may have been done: it may still be running.
    pub unsure: bool,
    /// The body is the participant's own problem (RFC 9457): `application/problem+json` with an
    /// object.
    pub is_problem: bool,
    /// The workflow lists the answer as final (`give-up-on`).
    pub is_final: bool,
}

/// The table.
pub(crate) fn meaning(status: u16, of: Circumstances) -> Meaning {
    match status {
        202 => Meaning::Accepted,
        200..=299 => Meaning::Done,
        _ if of.is_final => Meaning::Refused,
        // "Still running", as the draft on Idempotency-Key has it, where there is something that
        // can be running.
        409 if of.unsure => Meaning::Unclear,
        400 | 402 | 409 | 410 | 422 => Meaning::Refused,
        408 | 425 | 429 | 500.. => Meaning::Unclear,
        400..=499 if of.is_problem => Meaning::Refused,
        // What was asked for may be done where only the answer could not be given (406), or is
        // elsewhere (303).
        406 | 300..=306 => Meaning::Misconfigured { maybe_done: true },
        _ => Meaning::Misconfigured { maybe_done: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Circumstances = Circumstances { unsure: false, is_problem: false, is_final: false };

    /// The table once more, as runs of statuses.
    fn table(of: Circumstances) -> String {
        let mut lines: Vec<(u16, u16, Meaning)> = Vec::new();
        for status in 100..=599 {
            let meaning = meaning(status, of);
            match lines.last_mut() {
                Some((_, last, known)) if *known == meaning => *last = status,
                _ => lines.push((status, status, meaning)),
            }
        }
        let word = |meaning: &Meaning| match meaning {
            Meaning::Done => "done",
            Meaning::Accepted => "accepted",
            Meaning::Refused => "no",
            Meaning::Unclear => "unclear",
            Meaning::Misconfigured { maybe_done: false } => "mistake",
            Meaning::Misconfigured { maybe_done: true } => "mistake, maybe done",
        };
        let line = |(from, to, meaning): &(u16, u16, Meaning)| format!("{from}-{to} {}", word(meaning));
        lines.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_status_has_its_meaning() {
        assert_eq!(
            table(ANY),
            "100-199 mistake; 200-201 done; 202-202 accepted; 203-299 done; 300-306 mistake, maybe done; \
             307-399 mistake; 400-400 no; 401-401 mistake; 402-402 no; 403-405 mistake; \
             406-406 mistake, maybe done; 407-407 mistake; 408-408 unclear; 409-410 no; 411-421 mistake; \
             422-422 no; 423-424 mistake; 425-425 unclear; 426-428 mistake; 429-429 unclear; \
             430-499 mistake; 500-599 unclear"
        );
    }

    #[test]
    fn a_problem_of_the_participants_own_is_its_no() {
        assert_eq!(
            table(Circumstances { is_problem: true, ..ANY }),
            "100-199 mistake; 200-201 done; 202-202 accepted; 203-299 done; 300-306 mistake, maybe done; \
             307-399 mistake; 400-407 no; 408-408 unclear; 409-424 no; 425-425 unclear; 426-428 no; \
             429-429 unclear; 430-499 no; 500-599 unclear"
        );
    }

    #[test]
    fn a_conflict_after_an_unclear_attempt_is_asked_again_unless_the_workflow_lists_it() {
        for is_problem in [false, true] {
            let unsure = Circumstances { unsure: true, is_problem, is_final: false };
            assert_eq!(meaning(409, unsure), Meaning::Unclear);
            assert_eq!(meaning(409, Circumstances { is_final: true, ..unsure }), Meaning::Refused);
        }
        assert_eq!(meaning(503, Circumstances { is_final: true, ..ANY }), Meaning::Refused);
    }
}
