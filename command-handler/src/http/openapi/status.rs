//! `GET /orders/{id}`. The query side serves it; the document describes both sides.

use super::{Operation, Shared, order_path, parameter_ref};

const ANSWERS: [Shared; 5] = [
    Shared::OrderStands,
    Shared::WrongParameter,
    Shared::NoSuchOrderInViews,
    Shared::ViewsUnreadable,
    Shared::TryLater,
];

pub(super) fn described() -> Operation {
    Operation::get(&order_path(""), "getOrder", "orders", "Where an order stands")
        .description(
            "The answer comes from the views, which follow the log with a short delay. An order that was just placed may \
             still be 404, unless `position` names the position of its receipt.",
        )
        .parameter(parameter_ref("OrderId"))
        .parameter(parameter_ref("Wait"))
        .parameter(parameter_ref("KnownPosition"))
        .shared(ANSWERS)
}

pub(super) fn described_for_batch() -> Operation {
    let path = super::batch::PATH;
    Operation::get(path, "getOrderCalledBatch", "orders", "Where the order with the id `batch` stands")
        .description("As `GET /orders/{id}`, for the one id that is also a path.")
        .parameter(parameter_ref("Wait"))
        .parameter(parameter_ref("KnownPosition"))
        .shared(ANSWERS)
}
