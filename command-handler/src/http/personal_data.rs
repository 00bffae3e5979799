//! `GET /orders/{id}/personal-data`: the values of the placeholders in a request by events, while
//! they can be read.

use access::{AccessCounts, Caller};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Extensions;
use domain::order::{Address, PersonalData};
use http_problem::{Kind, Problem};

use super::endpoint::Handle;
use super::in_time::in_time;
use super::openapi::{Operation, Shared, example, order_path, parameter_ref};
use super::own;
use super::refused::{named, problem};
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Claim;

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    path: Result<Path<String>, PathRejection>,
    extensions: Extensions,
) -> Result<Json<PersonalData>, Problem> {
    let (order_id, _) = named(path, String::as_str)?;
    let caller = Caller::of(&extensions);
    let read = async {
        own::require(&endpoint.orchestrator, &caller, access::Operation::ReadPersonalData, &order_id, None).await?;
        endpoint.orchestrator.personal_data(&order_id).await.map_err(|error| problem(error, ""))
    };
    match in_time(read).await? {
        Claim::Readable(personal) => {
            let principal = caller.name();
            if principal.is_some() {
                AccessCounts::of(&extensions).note_disclosures(1);
            }
            tracing::info!(principal, orders = order_id.as_str(), "personal data were read");
            Ok(Json(personal))
        }
        Claim::Erased => Err(erased(order_id.as_str())),
        Claim::Unreadable(why) => Err(unreadable(order_id.as_str(), &why)),
    }
}

fn erased(order_id: &str) -> Problem {
    Problem::gone(format!("the personal data of order {order_id} were erased"))
}

fn unreadable(order_id: &str, why: &str) -> Problem {
    let detail = format!("the personal data of order {order_id} cannot be read: {why}");
    Problem::new(Kind::KeyMissing, detail)
}

pub(super) fn path() -> String {
    order_path("/personal-data")
}

pub(super) fn described() -> Operation {
    let (name, email) = ("Vins et alcools Chevalier".to_owned(), "orders@vinet.example".to_owned());
    let address = Address {
        street: Some("59 rue de l'Abbaye".to_owned()),
        city: Some("Reims".to_owned()),
        postal_code: Some("51100".to_owned()),
        country: Some("France".to_owned()),
        ..Address::default()
    };
    let personal = PersonalData { name: Some(name), email: Some(email), ship_to: Some(address) };
    Operation::get(&path(), "getPersonalData", "participants", "The values of placeholders")
        .description(
            "A request by events has placeholders, such as `⟦customer.email⟧`, in place of personal data, because an \
             event stays in the log. It has the URL of this operation in `personalData`. A request over HTTP has the \
             data themselves.",
        )
        .parameter(parameter_ref("OrderId"))
        .answer(
            200,
            "The personal data of the order. The placeholders are `customer.name`, `customer.email`, and `shipTo.` with \
             `name`, `street`, `city` or `postalCode`.",
            "PersonalData",
            &personal,
        )
        .refusal("The order does not exist.", [("order", example::no_such_order())])
        .refusal("The personal data were erased, or the order's history is incomplete.", [(
            "erased",
            erased(example::ORDER),
        )])
        .refusal("The personal data cannot be read now.", [(
            "noKey",
            unreadable(example::ORDER, "the customer's key is missing"),
        )])
        .shared([Shared::TryLater])
}
