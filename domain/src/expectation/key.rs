//! Of which histogram.

use crate::order::Order;

/// What a histogram is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A step, from its beginning to its end.
    Step,
    /// The order, from the beginning of a step to its end; without a step, the whole order.
    Rest,
}

/// Of which histogram. The order of the fields finds earlier versions next to each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EstimateKey {
    /// The workflow.
    pub workflow: String,
    /// The step; empty: the whole order.
    pub step: String,
    /// What it is about.
    pub part: Part,
    /// The version of the workflow.
    pub version: u32,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Step, Self::Rest];

    /// The name in the views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Step => "STEP",
            Self::Rest => "REST",
        }
    }
}

impl EstimateKey {
    /// The histogram of an order's workflow for a step; without a name, for the whole order.
    pub(super) fn of(order: &Order, step: &str, part: Part) -> Self {
        let workflow = &order.placed.workflow;
        Self { workflow: workflow.name.clone(), step: step.to_owned(), part, version: workflow.version }
    }
}
