//! Three sample orders with three different ends, for newcomers.

use serde_json::{Value, json};
use tracing::warn;

use crate::client::Client;
use crate::timeline;
use command_line::output;

/// What happens to each of them, given the stock below.
const SAMPLES: [(&str, &str, u32, &str); 3] = [
    ("sample-shipped", "order-fulfilment", 2, "in stock"),
    ("sample-backordered", "order-fulfilment", 50, "short of stock, and can wait"),
    ("sample-canceled", "order-fulfilment-without-backorder", 50, "short of stock, and cannot wait"),
];
const STOCK: u32 = 10;

/// Places the samples if they do not exist yet, shows their timelines as they happen, and then
/// prints what to try next.
pub async fn show(base: &str) {
    if let Err(error) = place_and_follow(base).await {
        warn!(%error, "the sample orders could not be shown");
    }
    print_next_steps(base);
}

async fn place_and_follow(base: &str) -> Result<(), Box<dyn std::error::Error>> {
    let http = http_client::builder()?.build()?;
    let first = http.get(format!("{base}/orders/{}", SAMPLES[0].0)).send().await?;
    if first.status().is_success() {
        return Ok(());
    }
    let stock = json!([{ "sku": "tea", "quantity": STOCK }]);
    http.post(format!("{base}/participants/shipping/stock")).json(&stock).send().await?.error_for_status()?;
    output::announce(&format!("Three orders for tea, of which there are {STOCK} packets:\n\n"));
    for (id, workflow, quantity, what) in SAMPLES {
        output::announce(&format!("  {id:<20} {quantity} packets, {what}\n"));
        let order = order(id, workflow, quantity);
        http.post(format!("{base}/orders")).json(&order).send().await?.error_for_status()?;
    }
    output::announce("\n");
    let client = Client::new(base)?;
    let followed = SAMPLES.map(|(id, ..)| timeline::follow(&client, id, id));
    for result in futures::future::join_all(followed).await {
        result?;
    }
    Ok(())
}

fn order(id: &str, workflow: &str, quantity: u32) -> Value {
    json!({
        "orderId": id,
        "workflow": workflow,
        "customer": { "id": "AROUT", "name": "Around the Horn", "email": "orders@arout.example" },
        "currency": "GBP",
        "lines": [{ "sku": "tea", "name": "Chai", "quantity": quantity, "unitPrice": "18.00" }],
        "shipTo": { "name": "Around the Horn", "street": "120 Hanover Sq.", "city": "London", "country": "UK" },
    })
}

fn print_next_steps(base: &str) {
    let order = order("my-first", "order-fulfilment", 1);
    output::announce("\nPlace an order of your own, then ask for its timeline:\n\n");
    output::announce(&format!("  curl -s {base}/orders -H 'content-type: application/json' -d '{order}'\n\n"));
    output::announce(&format!(
        "  curl -s {base}/graphql -H 'content-type: application/json' \\\n    -d '{}'\n\n",
        json!({ "query": "{ order(id: \"my-first\") { status state timeline { edges { node { recordedAt summary } } } } }" })
    ));
    output::announce("Send the back-ordered one on its way:\n\n");
    output::announce(&format!(
        "  curl -s {base}/participants/shipping/restock -H 'content-type: application/json' -d '{}'\n\n",
        json!([{ "sku": "tea", "quantity": 100 }])
    ));
    output::announce("Stop with Ctrl-C; what is under .tenuto goes on next time.\n");
}
