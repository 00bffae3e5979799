//! What the caller of a request may read: which root fields, which orders, and whether with the
//! personal data in them. The table is in `access`.

use access::{AccessCounts, Caller, Denied, Operation, Orders, Reach, routes};
use async_graphql::parser::types::OperationType;
use async_graphql::{Context, Request, ServerError};
use chrono::Utc;
use domain::filter::OrderFilter;
use domain::order::{Address, PersonalData};
use views::OrderRow;

use crate::code::ErrorCode;
use crate::disclosures::Disclosures;
use crate::filter;
use crate::http::operation::root_fields;

/// Refuses an operation with a root field that the caller may not ask for. The caller becomes part
/// of the request.
pub fn admitted(
    mut request: Request,
    kind: Option<OperationType>,
    caller: Caller,
    counts: &AccessCounts,
) -> Result<Request, ServerError> {
    if caller == Caller::Anyone {
        return Ok(request.data(caller));
    }
    if let Some(disclosures) = Disclosures::to(&caller, counts) {
        request = request.data(disclosures);
    }
    let parent = match kind {
        Some(OperationType::Subscription) => "Subscription",
        Some(OperationType::Query | OperationType::Mutation) | None => "Query",
    };
    for name in root_fields(&mut request) {
        let Some(operation) = routes::field(parent, &name) else {
            let message = format!("{parent} has no field {name:?} that callers may ask for");
            return Err(ErrorCode::Forbidden.of_request(&message));
        };
        if caller.reach(operation) == Reach::Nothing {
            return Err(ErrorCode::Forbidden.of_request(&Denied::forbidden(&caller, operation)));
        }
    }
    Ok(request.data(caller))
}

/// How much of an operation the caller of a request has.
pub fn reach(context: &Context<'_>, operation: Operation) -> Reach {
    caller(context).reach(operation)
}

/// Whether the caller may see an order. If not, it is as if the order did not exist.
pub fn is_readable(context: &Context<'_>, row: &OrderRow) -> bool {
    reach(context, Operation::ReadOrders).covers_order(row.placed_by.as_deref())
}

/// Who sent a request.
pub fn caller<'a>(context: &'a Context<'_>) -> &'a Caller {
    context.data_opt::<Caller>().unwrap_or(&Caller::Stranger)
}

/// Whether the caller of a request sees the personal data in what it reads.
pub fn sees_personal_data(context: &Context<'_>) -> bool {
    caller(context).sees_personal_data()
}

/// Notes that the request has read the personal data of this order.
pub fn disclosed(context: &Context<'_>, order: &str) {
    if let Some(disclosures) = context.data_opt::<Disclosures>() {
        disclosures.note(order);
    }
}

/// A filter of a request, now: the part of it that the caller may see.
pub fn readable(context: &Context<'_>, filter: Option<filter::OrderFilter>) -> async_graphql::Result<OrderFilter> {
    let checked =
        filter.unwrap_or_default().checked(Utc::now()).map_err(|fault| ErrorCode::BadUserInput.error(&fault))?;
    Ok(narrowed(checked, &reach(context, Operation::ReadOrders)))
}

fn narrowed(mut filter: OrderFilter, reach: &Reach) -> OrderFilter {
    let own = match reach.orders() {
        Orders::All => return filter,
        Orders::PlacedBy(own) => Some(own.to_owned()),
        Orders::None => None,
    };
    let is_asked_for = |own: &String| filter.placed_by.as_ref().is_none_or(|asked| asked.contains(own));
    filter.placed_by = Some(own.filter(is_asked_for).into_iter().collect());
    filter
}

/// What a caller sees in place of personal data: their placeholders.
pub fn redacted(data: &PersonalData) -> PersonalData {
    fn hidden(is_there: Option<&String>, path: &str) -> Option<String> {
        is_there.map(|_| format!("⟦{path}⟧"))
    }
    let address = |to: &Address| Address {
        name: hidden(to.name.as_ref(), "shipTo.name"),
        street: hidden(to.street.as_ref(), "shipTo.street"),
        city: hidden(to.city.as_ref(), "shipTo.city"),
        postal_code: hidden(to.postal_code.as_ref(), "shipTo.postalCode"),
        region: to.region.clone(),
        country: to.country.clone(),
    };
    PersonalData {
        name: hidden(data.name.as_ref(), "customer.name"),
        email: hidden(data.email.as_ref(), "customer.email"),
        ship_to: data.ship_to.as_ref().map(address),
    }
}

#[cfg(test)]
mod tests {
    use access::Own;

    use super::*;

    fn filter(placed_by: Option<&[&str]>) -> OrderFilter {
        let placed_by = placed_by.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        OrderFilter { placed_by, ..OrderFilter::default() }
    }

    #[test]
    fn a_shop_sees_the_part_of_a_filter_that_is_its_own() {
        let own = Reach::Own(Own { placed_by: Some("web".to_owned()), participants: Vec::new() });
        assert_eq!(narrowed(filter(None), &own), filter(Some(&["web"])));
        assert_eq!(narrowed(filter(Some(&["app", "web"])), &own), filter(Some(&["web"])));
        assert_eq!(narrowed(filter(Some(&["app"])), &own), filter(Some(&[])));
        assert_eq!(narrowed(filter(None), &Reach::Nothing), filter(Some(&[])));
        assert_eq!(narrowed(filter(Some(&["app"])), &Reach::Everything), filter(Some(&["app"])));
    }

    #[test]
    fn placeholders_stand_for_what_is_there_and_for_nothing_else() {
        let to = Address { city: Some("Reims".to_owned()), country: Some("France".to_owned()), ..Address::default() };
        let data = PersonalData { name: None, email: Some("a@b.example".to_owned()), ship_to: Some(to) };
        let hidden = redacted(&data);
        assert_eq!((hidden.name, hidden.email.as_deref()), (None, Some("⟦customer.email⟧")));
        let to = hidden.ship_to.unwrap();
        assert_eq!((to.city.as_deref(), to.country.as_deref()), (Some("⟦shipTo.city⟧"), Some("France")));
    }
}
