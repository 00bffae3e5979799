//! The address of each participant that is called. Only what is to be registered is checked: definitions that are registered
//! already are read for ever, and their addresses are looked at when they are called.

use super::Notes;
use crate::workflow::{Participant, TextPosition, Workflow, address};

/// Notes addresses that are none, and those that would send a setting's value elsewhere.
pub(super) fn check(workflow: &Workflow, notes: &mut Notes) {
    for (name, participant) in &workflow.participants {
        let Participant::Http { url } = participant else { continue };
        // A URL that could not be read is empty here, and its fault is noted already.
        let Some(flaw) = address::check(url).err().filter(|_| !url.is_empty()) else { continue };
        let path = format!("participants.{name}.url");
        match flaw.at {
            Some(at) => notes.within(&path, TextPosition { line: 1, column: at + 1 }, flaw.reason),
            None => notes.at(&path, flaw.reason),
        }
    }
}
