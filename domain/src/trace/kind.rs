//! The kinds of spans.

/// What a span covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The life of an order.
    Order,
    /// The undo of completed steps.
    Compensation,
    /// A step, or its undo, until its final answer.
    Step,
    /// One exchange with a participant.
    Attempt,
    /// The wait for a later answer, for the end of a pause, or for an operator.
    Wait,
}

impl Kind {
    /// The name, from which ids derive.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Order => "order",
            Kind::Compensation => "compensation",
            Kind::Step => "step",
            Kind::Attempt => "attempt",
            Kind::Wait => "wait",
        }
    }
}
