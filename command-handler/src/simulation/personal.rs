//! Personal data that can be recognised wherever they turn up, and texts that only look like our
//! placeholders.

use domain::order::{Address, NewOrder};
use serde_json::{Value, json};

use super::faults::Fault;
use super::simulation::Simulation;

/// What looks like a placeholder.
const APPARENT: [&str; 5] = [
    "⟦customer.email⟧",
    "17 ⟦customer.name⟧ ⟦customer.email⟧",
    "⟦shipTo.street⟧⟦shipTo.city⟧",
    "⟦customer.email⟦customer.name⟧",
    "⟦customer.phone⟧",
];

/// Gives an order its own customer, and attributes and line names that may look like placeholders.
pub fn personalise(simulation: &Simulation, order: &mut NewOrder, number: u32) {
    let text = |what: &str| Some(format!("{what} that only customer {number} has"));
    order.customer.id = format!("C{number}");
    order.customer.name = text("a name");
    order.customer.email = if simulation.dice.hits(300) { None } else { text("a mailbox") };
    if simulation.dice.hits(500) {
        order.ship_to = Some(Address {
            name: text("a neighbour"),
            street: text("a street"),
            city: text("a city"),
            postal_code: text("a code"),
            country: Some("France".to_owned()),
            ..Address::default()
        });
    }
    if let Some(apparent) = apparent(simulation) {
        order.attributes.insert("gift".to_owned(), json!({ "card": apparent }));
        if let Some(line) = order.lines.first_mut() {
            line.name = Some(apparent.to_owned());
        }
    }
}

/// A text that looks like a placeholder, if chance has it.
pub fn apparent(simulation: &Simulation) -> Option<&'static str> {
    simulation.happens(Fault::ForeignPlaceholder).then(|| *simulation.dice.pick(&APPARENT))
}

/// What identifies a person in an order: the expressions that read it, and the text.
pub fn texts(order: &NewOrder) -> Vec<(&'static str, &str)> {
    let address = order.ship_to.as_ref();
    let field = |of: fn(&Address) -> &Option<String>| address.and_then(|address| of(address).as_deref());
    let all = [
        ("order.customer.name", order.customer.name.as_deref()),
        ("order.customer.email", order.customer.email.as_deref()),
        ("order.shipTo", field(|address| &address.name)),
        ("order.shipTo", field(|address| &address.street)),
        ("order.shipTo", field(|address| &address.city)),
        ("order.shipTo", field(|address| &address.postal_code)),
    ];
    all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// The value of one of the expressions below, taken from the order as it was placed. `None`: it is
/// another expression.
pub fn value(expression: &str, order: &NewOrder) -> Option<Value> {
    match expression {
        EMAIL => Some(json!(order.customer.email)),
        GREETING => {
            Some(order.customer.name.as_ref().map_or_else(|| json!(""), |name| json!(format!("Dear {name}, hello"))))
        }
        ADDRESS => Some(json!(order.ship_to)),
        ATTRIBUTES => Some(json!(order.attributes)),
        _ => None,
    }
}

/// The expressions of drawn definitions that read personal data, or what a shop may have written.
pub const EMAIL: &str = "order.customer.email";
/// See [`EMAIL`].
pub const GREETING: &str = "order.customer.name == null ? '' : 'Dear ' + order.customer.name + ', hello'";
/// See [`EMAIL`].
pub const ADDRESS: &str = "order.shipTo";
/// See [`EMAIL`].
pub const ATTRIBUTES: &str = "order.attributes";
