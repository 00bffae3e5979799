//! Checks the address of each called participant, only when an author registers a definition.
//! Registered definitions stay readable for ever; their addresses are checked when a request is
//! sent.

use super::notes::Notes;
use crate::workflow::{Participant, TextPosition, Workflow, address};

/// Reports addresses that are not valid, or that would send a setting's value to another place.
pub(super) fn check(workflow: &Workflow, notes: &mut Notes) {
    for (name, participant) in &workflow.participants {
        let Participant::Http { url } = participant else { continue };
        // An unreadable URL is empty here, and its fault is reported already.
        let Some(flaw) = address::check(url).err().filter(|_| !url.is_empty()) else { continue };
        let path = format!("participants.{name}.url");
        match flaw.at {
            Some(at) => notes.within(&path, TextPosition { line: 1, column: at + 1 }, flaw.reason),
            None => notes.at(&path, flaw.reason),
        }
    }
}
