//! `tenuto list`: the orders that match a filter.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use command_line::filter::{self, Conditions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::print::{Connection, ListArgs, PageArgs};
use crate::CommandError;
use crate::show::state_tint;
use crate::views::State;
use command_line::moment;
use command_line::output::{Palette, Tint};
use command_line::table::{Side, Table};

/// Options of `tenuto list`.
#[derive(Debug, Args)]
#[command(after_help = filter::HELP)]
pub struct OrdersArgs {
    /// Only the orders that match, like state=STUCK,workflow=order-fulfilment; if given several
    /// times, an order has to match each filter
    #[arg(long = "where", value_name = "FILTER", value_parser = filter::conditions)]
    filters: Vec<Conditions>,
    /// How the list is sorted; by `ended-at`, only orders that have ended are listed
    #[arg(long, value_enum, default_value_t = SortName::PlacedAt)]
    sort: SortName,
    /// The earliest or the least first, instead of the latest or the greatest
    #[arg(long)]
    ascending: bool,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SortName {
    PlacedAt,
    UpdatedAt,
    EndedAt,
    Total,
}

const QUERY: &str = "query($where: OrderFilter, $sort: OrderSort, $first: Int, $after: String) {
    orders(where: $where, orderBy: $sort, first: $first, after: $after) {
        nodes { id status state total currency placedAt updatedAt stuckReason workflow { name version } }
        pageInfo { hasNextPage endCursor }
    } }";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    status: String,
    state: State,
    total: Value,
    currency: String,
    placed_at: DateTime<Utc>,
    stuck_reason: Option<String>,
    workflow: Workflow,
}

#[derive(Debug, Deserialize)]
struct Workflow {
    name: String,
    version: i32,
}

pub(super) async fn print(args: OrdersArgs) -> Result<ExitCode, CommandError> {
    let filter = filter::filter(args.filters.iter().flat_map(|filter| &filter.0)).map_err(CommandError::Filter)?;
    let by = match args.sort {
        SortName::PlacedAt => "PLACED_AT",
        SortName::UpdatedAt => "UPDATED_AT",
        SortName::EndedAt => "ENDED_AT",
        SortName::Total => "TOTAL",
    };
    let sort = format!("{by}_{}", if args.ascending { "ASC" } else { "DESC" });
    let PageArgs { first, after } = args.page;
    let variables = json!({ "where": filter, "sort": sort, "first": first, "after": after });
    args.list.print("orders", QUERY, &variables, render).await
}

fn render(orders: &Connection<Order>, palette: Palette) -> String {
    if orders.nodes.is_empty() {
        return "No order matches\n".to_owned();
    }
    let mut table = Table::new([
        ("ORDER", Side::Left),
        ("STATUS", Side::Left),
        ("STATE", Side::Left),
        ("WORKFLOW", Side::Left),
        ("TOTAL", Side::Right),
        ("PLACED", Side::Left),
        ("STUCK", Side::Left),
    ]);
    for order in &orders.nodes {
        let total = order.total.as_str().map_or_else(|| order.total.to_string(), str::to_owned);
        table.row([
            (order.id.clone(), Tint::Bold),
            (order.status.clone(), Tint::Plain),
            (order.state.as_str().to_owned(), state_tint(order.state)),
            (format!("{} {}", order.workflow.name, order.workflow.version), Tint::Dim),
            (format!("{total} {}", order.currency), Tint::Plain),
            (moment::render(order.placed_at), Tint::Dim),
            (order.stuck_reason.clone().unwrap_or_default(), Tint::Bad),
        ]);
    }
    table.render(palette) + &orders.more()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::Stub;

    fn page(has_next: bool) -> Value {
        json!({
            "nodes": [{ "id": "10248", "status": "Placed", "state": "STUCK", "total": "440.00", "currency": "EUR",
                        "placedAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:05Z",
                        "stuckReason": "401\u{1b}[2J", "workflow": { "name": "fulfil", "version": 2 } }],
            "pageInfo": { "hasNextPage": has_next, "endCursor": "c1" },
        })
    }

    #[test]
    fn orders_are_listed_with_where_they_stand_and_how_to_go_on() {
        let shown = render(&serde_json::from_value(page(true)).unwrap(), Palette::NONE);
        let expected = "  ORDER  STATUS  STATE  WORKFLOW       TOTAL  PLACED                       STUCK
  10248  Placed  STUCK  fulfil 2  440.00 EUR  2026-01-02 03:04:05.000 UTC  401\\u{1b}[2J
  and more: --after c1
";
        assert_eq!(shown, expected);
        assert!(!render(&serde_json::from_value(page(false)).unwrap(), Palette::NONE).contains("--after"));
    }

    #[tokio::test]
    async fn the_filter_and_the_sort_are_those_of_the_server() {
        let stub = Stub::start().await;
        stub.answers([json!({ "data": { "orders": page(false) } })]);
        let filters = vec![filter::conditions("state=STUCK,stepOlderThan=1h").unwrap()];
        let page = PageArgs { first: 20, after: None };
        let args = OrdersArgs { filters, sort: SortName::Total, ascending: true, page, list: ListArgs::of(&stub.base) };
        assert_eq!(print(args).await.unwrap(), ExitCode::SUCCESS);
        let expected = json!({ "where": { "state": ["STUCK"], "step": { "olderThan": "1h" } }, "sort": "TOTAL_ASC",
                               "first": 20, "after": null });
        assert_eq!(stub.queries()[0]["variables"], expected);
    }
}
