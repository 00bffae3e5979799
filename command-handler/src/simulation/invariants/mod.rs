//! What has to be true of every run, whatever went wrong in it: one function an invariant, named
//! after those of the design. Each reads recorded facts alone (the log, and what those outside saw)
//! and tells how it was broken, if it was.

mod asks;
mod effects;
mod ends;
mod log;
mod personal;
mod second_person;

use super::record::Record;

/// What is wrong, in sentences.
type Wrong = Vec<String>;

/// One of them.
type Invariant = fn(&Record) -> Wrong;

/// All of them, by name.
pub const ALL: &[(&str, Invariant)] = &[
    ("no_answer_without_a_record", log::no_answer_without_a_record),
    ("one_answer_one_event", log::one_answer_one_event),
    ("the_log_is_the_only_truth", log::the_log_is_the_only_truth),
    ("time_goes_one_way", log::time_goes_one_way),
    ("an_order_ends_on_the_version_it_began_on", asks::an_order_ends_on_the_version_it_began_on),
    ("only_a_no_undoes_an_order", effects::only_a_no_undoes_an_order),
    ("nothing_is_done_after_its_undo", effects::nothing_is_done_after_its_undo),
    ("personal_data_stays_sealed", personal::personal_data_stays_sealed),
    ("no_one_is_told_what_its_step_does_not_say", personal::no_one_is_told_what_its_step_does_not_say),
    ("what_is_told_is_what_there_is", personal::what_is_told_is_what_there_is),
    ("append_first_perform_second", asks::append_first_perform_second),
    ("one_key_for_all_attempts", asks::one_key_for_all_attempts),
    ("each_effect_at_most_once", effects::each_effect_at_most_once),
    ("effects_match_the_end", effects::effects_match_the_end),
    ("undone_in_reverse", effects::undone_in_reverse),
    ("something_is_due_or_it_is_over", ends::something_is_due_or_it_is_over),
    ("every_order_ends_or_is_visibly_stuck", ends::every_order_ends_or_is_visibly_stuck),
    ("nothing_is_asked_after_the_end", asks::nothing_is_asked_after_the_end),
    ("what_cannot_be_sent_is_held", ends::what_cannot_be_sent_is_held),
    ("a_cancel_is_kept", ends::a_cancel_is_kept),
    ("a_pause_holds", ends::a_pause_holds),
    ("two_persons_decide", second_person::two_persons_decide),
    ("a_settled_request_stays_settled", second_person::a_settled_request_stays_settled),
    ("requests_expire_in_time", second_person::requests_expire_in_time),
    ("nothing_is_early", ends::nothing_is_early),
];
