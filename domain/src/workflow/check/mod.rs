//! Rules between the parts of a definition. Each file checks one rule on the whole definition, and
//! reports faults at their places in the file.

mod addresses;
mod compensation;
mod graph;
mod guards;
mod hints;
mod ids;
mod notes;
mod outcomes;
mod participants;
mod reads;
mod section;
mod values;

use notes::Notes;
use section::sections;

use super::definition::Workflow;
use super::fault::FaultReport;
use super::yaml::Node;

/// Checks a definition.
pub(super) fn all(workflow: &Workflow, root: &Node, report: &mut FaultReport) {
    let mut notes = Notes::new(root, report);
    let [forward, compensated] = sections(workflow);
    ids::check(&forward, &compensated, &mut notes);
    participants::check(workflow, [&forward, &compensated], &mut notes);
    for (section, other) in [(&forward, &compensated), (&compensated, &forward)] {
        graph::check(section, other, &mut notes);
        outcomes::check(section, &mut notes);
        guards::check(section, &forward, &mut notes);
    }
    compensation::check(&compensated, &mut notes);
    reads::check(workflow, &forward, &compensated, &mut notes);
}

/// Reports what is allowed but rarely meant.
pub(super) fn hints(workflow: &Workflow, root: &Node, report: &mut FaultReport) {
    let mut notes = Notes::new(root, report);
    for section in sections(workflow) {
        hints::check(&section, &mut notes);
    }
}

/// Checks the rules for new definitions. Definitions registered before these rules need not keep
/// them.
pub(super) fn new(workflow: &Workflow, root: &Node, report: &mut FaultReport) {
    let mut notes = Notes::new(root, report);
    addresses::check(workflow, &mut notes);
    values::check(workflow, &mut notes);
}
