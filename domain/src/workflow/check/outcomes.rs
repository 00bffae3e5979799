//! Outcomes: the answers of a step, and their consequences.

use super::notes::Notes;
use super::section::Section;
use crate::order::Mode;
use crate::workflow::Step;
use crate::workflow::suggest::did_you_mean;

/// Reports outcomes that are not declared, that have two meanings, or after which no path
/// continues.
pub(super) fn check(section: &Section, notes: &mut Notes) {
    for step in section.steps {
        let path = |within: &str| section.path(step, within);
        twice(&step.outcomes, &path(".outcomes"), notes);
        twice(&step.compensate_on, &path(".compensate-on"), notes);
        if step.mode == Mode::Call && notes.has(&path(".interim")) {
            notes.at_key(&path(".interim"), "is only for a 'request': a 'call' is answered once");
        }
        let could_be_read = !step.outcomes.is_empty() || !notes.has(&path(".outcomes"));
        if could_be_read {
            declared(section, step, notes);
        }
        on_timeout(section, step, notes);
        both(section, step, notes);
        way_on(section, step, notes);
    }
}

fn twice(words: &[String], path: &str, notes: &mut Notes) {
    for (index, word) in words.iter().enumerate() {
        if words[..index].contains(word) {
            notes.at(&format!("{path}[{index}]"), format!("'{word}' is named twice"));
        }
    }
}

fn declared(section: &Section, step: &Step, notes: &mut Notes) {
    let compensating = step.compensate_on.iter().enumerate().map(|(n, word)| (word, format!(".compensate-on[{n}]")));
    let interim = step.interim.keys().map(|word| (word, format!(".interim.{word}")));
    for (word, within) in compensating.chain(interim).filter(|(word, _)| !step.outcomes.contains(word)) {
        let suggestion = did_you_mean(word, step.outcomes.iter().map(String::as_str));
        notes.at_key(&section.path(step, &within), format!("'{word}' is not among the step's 'outcomes'{suggestion}"));
    }
}

/// The outcome assumed after a time-out must be declared, and must end the step.
fn on_timeout(section: &Section, step: &Step, notes: &mut Notes) {
    let Some(word) = &step.on_timeout else { return };
    let path = section.path(step, ".on-timeout");
    if !step.outcomes.is_empty() && !step.outcomes.contains(word) {
        let suggestion = did_you_mean(word, step.outcomes.iter().map(String::as_str));
        notes.at(&path, format!("'{word}' is not among the step's 'outcomes'{suggestion}"));
    }
    if step.interim.contains_key(word) {
        notes.at(&path, format!("'{word}' would keep the step open for ever ('interim')"));
    }
}

fn both(section: &Section, step: &Step, notes: &mut Notes) {
    for word in step.interim.keys().filter(|word| step.compensate_on.contains(word)) {
        let reason = format!("'{word}' cannot both keep the step open and undo the order ('compensate-on')");
        notes.at_key(&section.path(step, &format!(".interim.{word}")), reason);
    }
}

fn way_on(section: &Section, step: &Step, notes: &mut Notes) {
    let leads_on = |word: &String| !step.compensate_on.contains(word) && !step.interim.contains_key(word);
    if !step.outcomes.is_empty() && !step.outcomes.iter().any(leads_on) {
        let reason = "no outcome lets the order continue: each one keeps the step open or undoes the order";
        notes.at(&section.path(step, ".outcomes"), reason);
    }
}
