//! The books: what was ordered, what was in stock, and what the services must have recorded when
//! all orders have ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Client;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::process::LIMIT;

/// Status and state of orders, by id.
pub type Ends = BTreeMap<String, (String, String)>;

/// The ordered goods, and the goods in stock.
pub struct Ledger {
    pub orders: BTreeMap<String, Demand>,
    pub stock: Value,
}

/// What one order requires.
pub struct Demand {
    total: Decimal,
    needs: BTreeMap<String, u64>,
    can_wait: bool,
}

impl Demand {
    fn of(order: &Value) -> Self {
        let mut needs = BTreeMap::new();
        let mut total = Decimal::ZERO;
        for line in order["lines"].as_array().unwrap() {
            let quantity = line["quantity"].as_u64().unwrap();
            *needs.entry(line["sku"].as_str().unwrap().to_owned()).or_default() += quantity;
            total += line["unitPrice"].as_str().unwrap().parse::<Decimal>().unwrap() * Decimal::from(quantity);
        }
        Self { total, needs, can_wait: order["workflow"] == "order-fulfilment" }
    }
}

impl Ledger {
    pub fn new<'a>(orders: impl IntoIterator<Item = &'a Value>, stock: Value) -> Self {
        let entry = |order: &Value| (order["orderId"].as_str().unwrap().to_owned(), Demand::of(order));
        Self { orders: orders.into_iter().map(entry).collect(), stock }
    }

    /// Compares the services' records and databases with what the orders and their ends require.
    pub async fn adds_up(&self, http: &Client, ends: &Ends, participants: &str, database: &str) {
        assert_eq!(ends.len(), self.orders.len());
        let get = async |path: &str| {
            let response = http.get(format!("{participants}{path}")).send().await.unwrap();
            response.error_for_status().unwrap().json::<Value>().await.unwrap()
        };
        let (shipped, backordered, canceled) =
            (with_status(ends, "Shipped"), with_status(ends, "BackOrdered"), with_status(ends, "Canceled"));
        assert_eq!(shipped.len() + backordered.len() + canceled.len(), self.orders.len());
        assert!(!shipped.is_empty() && !backordered.is_empty() && !canceled.is_empty());
        assert!(backordered.iter().all(|id| self.orders[id].can_wait), "only orders that can wait are back-ordered");
        assert!(canceled.iter().all(|id| !self.orders[id].can_wait), "orders that can wait are not undone");

        let mut stock = numbers(&self.stock, "quantity");
        for (sku, quantity) in shipped.iter().flat_map(|id| &self.orders[id].needs) {
            let left = stock.get_mut(sku).unwrap();
            *left =
                left.checked_sub(*quantity).unwrap_or_else(|| panic!("more of {sku} was shipped than was in stock"));
        }
        let recorded = get("/shipping/stock").await;
        assert_eq!(numbers(&recorded, "onHand"), stock);
        assert!(numbers(&recorded, "reserved").values().all(|reserved| *reserved == 0), "{recorded}");
        // Stock only decreased, so an order that lacked stock during the test lacks it now.
        for id in backordered.iter().chain(&canceled) {
            let short = self.orders[id].needs.iter().any(|(sku, quantity)| stock[sku] < *quantity);
            assert!(short, "order {id} could have been shipped");
        }

        let sum = |ids: &[String]| ids.iter().map(|id| self.orders[id].total).sum::<Decimal>();
        let all: Vec<String> = self.orders.keys().cloned().collect();
        let totals = get("/payments/totals").await;
        assert_eq!(totals.as_array().unwrap().len(), 1, "{totals}");
        let money = |name: &str| totals[0][name].as_str().unwrap().parse::<Decimal>().unwrap();
        assert_eq!((money("charged"), &totals[0]["charges"]), (sum(&all), &json!(all.len())));
        assert_eq!((money("refunded"), &totals[0]["refunds"]), (sum(&canceled), &json!(canceled.len())));

        let count = |ids: &[String]| i64::try_from(ids.len()).unwrap();
        let expected = BTreeMap::from([
            ("order-shipped".to_owned(), count(&shipped)),
            ("order-backordered".to_owned(), count(&backordered)),
            ("order-canceled".to_owned(), count(&canceled)),
        ]);
        assert_eq!(mails(database).await, expected);

        let handled = get("/audit/repeats").await;
        let times = |participant: &str, action: &str| {
            let tally =
                handled.as_array().unwrap().iter().find(|t| t["participant"] == participant && t["action"] == action);
            tally.and_then(|tally| tally["handled"].as_i64()).unwrap_or_default()
        };
        assert_eq!(times("orders", "create"), count(&all));
        assert_eq!(times("shipping", "ship"), count(&all));
        assert_eq!(times("orders", "cancel"), count(&canceled));
        println!(
            "{} shipped, {} back-ordered, {} canceled; {} charged, {} refunded",
            shipped.len(),
            backordered.len(),
            canceled.len(),
            money("charged"),
            money("refunded"),
        );
    }
}

fn with_status(ends: &Ends, status: &str) -> Vec<String> {
    ends.iter().filter(|(_, end)| end.0 == status).map(|(id, _)| id.clone()).collect()
}

fn numbers(list: &Value, field: &str) -> BTreeMap<String, u64> {
    let entry = |item: &Value| (item["sku"].as_str().unwrap().to_owned(), item[field].as_u64().unwrap());
    list.as_array().unwrap().iter().map(entry).collect()
}

/// The number of mails for each template. No customer gets the same mail twice.
async fn mails(database: &str) -> BTreeMap<String, i64> {
    let pool = sqlx::PgPool::connect(database).await.unwrap();
    let count =
        "SELECT template, count(*), count(DISTINCT order_id) FROM participant_notifications.mails GROUP BY template";
    let counts: Vec<(String, i64, i64)> = sqlx::query_as(count).fetch_all(&pool).await.unwrap();
    assert!(counts.iter().all(|(_, mails, orders)| mails == orders), "{counts:?}");
    counts.into_iter().map(|(template, mails, _)| (template, mails)).collect()
}

/// Status and state of every order, by GraphQL.
pub async fn ends(http: &Client, queries: &str) -> Ends {
    let mut ends = Ends::new();
    let mut after = Value::Null;
    loop {
        let query = "query($after: String) { orders(first: 200, after: $after) { \
                     edges { node { id status state } } pageInfo { hasNextPage endCursor } } }";
        let body = json!({ "query": query, "variables": { "after": after } });
        let page = answered(http, queries, &body).await;
        let orders = &page["data"]["orders"];
        for edge in orders["edges"].as_array().unwrap_or_else(|| panic!("{page}")) {
            let text = |name: &str| edge["node"][name].as_str().unwrap().to_owned();
            ends.insert(text("id"), (text("status"), text("state")));
        }
        if orders["pageInfo"]["hasNextPage"] != true {
            return ends;
        }
        after = orders["pageInfo"]["endCursor"].clone();
    }
}

/// The answer to a query, once the views can be read. On a busy machine they may be unavailable for
/// a while.
async fn answered(http: &Client, queries: &str, body: &Value) -> Value {
    let begun = Instant::now();
    loop {
        let response = http.post(format!("{queries}/graphql")).json(body).send().await.unwrap();
        let page: Value = response.json().await.unwrap();
        if page["errors"][0]["extensions"]["code"] != "UNAVAILABLE" {
            return page;
        }
        assert!(begun.elapsed() < LIMIT, "{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the order makes no progress by itself any more.
pub fn at_rest(end: &(String, String)) -> bool {
    let (status, state) = (end.0.as_str(), end.1.as_str());
    matches!((status, state), ("Shipped", "COMPLETED") | ("BackOrdered", "WAITING") | ("Canceled", "CANCELED"))
}

/// Sets the stock of the shipping service.
pub async fn set_stock(http: &Client, participants: &str, stock: &Value) {
    let request = http.post(format!("{participants}/shipping/stock")).json(stock);
    request.send().await.unwrap().error_for_status().unwrap();
}
