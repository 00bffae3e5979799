//! What a caller may ask for.

/// An operation. Every route and every GraphQL root field is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Ask whether the process lives and is ready.
    Probe,
    /// Read the description of the API.
    Describe,
    /// Send a GraphQL request. Each of its root fields is another operation.
    Query,
    /// Read the figures of a process.
    ReadFigures,
    /// Place an order.
    PlaceOrder,
    /// Read orders: present and past states, timelines, changes.
    ReadOrders,
    /// Read how many orders there are.
    CountOrders,
    /// Read the personal data that the placeholders of a request stand for.
    ReadPersonalData,
    /// Answer a step, later than in the exchange.
    AnswerStep,
    /// Cancel an order.
    CancelOrder,
    /// Leave a note, pause, resume, retry or skip.
    OperateOrder,
    /// Act on many orders at once.
    OperateBatch,
    /// Approve or decline what another person asked for, or withdraw it.
    SettleRequest,
    /// Read which participants are called, and which circuits are open.
    ReadCircuits,
    /// Read the events that could not be projected.
    ReadParkedEvents,
    /// Read workflow definitions.
    ReadWorkflows,
    /// Register a workflow definition.
    RegisterWorkflow,
    /// Try a workflow definition: on past orders, and against every fault.
    TryWorkflow,
    /// Verify that the records are unchanged, and export histories.
    Audit,
    /// Erase the personal data of a customer.
    ForgetCustomer,
    /// Read, create, change and delete webhooks, and replay notifications.
    ManageWebhooks,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 21] = [
        Self::Probe,
        Self::Describe,
        Self::Query,
        Self::ReadFigures,
        Self::PlaceOrder,
        Self::ReadOrders,
        Self::CountOrders,
        Self::ReadPersonalData,
        Self::AnswerStep,
        Self::CancelOrder,
        Self::OperateOrder,
        Self::OperateBatch,
        Self::SettleRequest,
        Self::ReadCircuits,
        Self::ReadParkedEvents,
        Self::ReadWorkflows,
        Self::RegisterWorkflow,
        Self::TryWorkflow,
        Self::Audit,
        Self::ForgetCustomer,
        Self::ManageWebhooks,
    ];

    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Describe => "describe",
            Self::Query => "query",
            Self::ReadFigures => "readFigures",
            Self::PlaceOrder => "placeOrder",
            Self::ReadOrders => "readOrders",
            Self::CountOrders => "countOrders",
            Self::ReadPersonalData => "readPersonalData",
            Self::AnswerStep => "answerStep",
            Self::CancelOrder => "cancelOrder",
            Self::OperateOrder => "operateOrder",
            Self::OperateBatch => "operateBatch",
            Self::SettleRequest => "settleRequest",
            Self::ReadCircuits => "readCircuits",
            Self::ReadParkedEvents => "readParkedEvents",
            Self::ReadWorkflows => "readWorkflows",
            Self::RegisterWorkflow => "registerWorkflow",
            Self::TryWorkflow => "tryWorkflow",
            Self::Audit => "audit",
            Self::ForgetCustomer => "forgetCustomer",
            Self::ManageWebhooks => "manageWebhooks",
        }
    }

    /// What it is, after "may not".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Describe => "read the description of the API",
            Self::Query => "query",
            Self::ReadFigures => "read metrics",
            Self::PlaceOrder => "place orders",
            Self::ReadOrders => "read orders",
            Self::CountOrders => "count orders",
            Self::ReadPersonalData => "read personal data",
            Self::AnswerStep => "answer steps",
            Self::CancelOrder => "cancel orders",
            Self::OperateOrder => "note, pause, resume, retry or skip",
            Self::OperateBatch => "act on many orders",
            Self::SettleRequest => "approve or decline operations",
            Self::ReadCircuits => "read circuits",
            Self::ReadParkedEvents => "read parked events",
            Self::ReadWorkflows => "read workflows",
            Self::RegisterWorkflow => "register workflows",
            Self::TryWorkflow => "try workflows",
            Self::Audit => "audit",
            Self::ForgetCustomer => "erase customers",
            Self::ManageWebhooks => "manage webhooks",
        }
    }
}
