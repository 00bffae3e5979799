//! The results of a backtest, for people and for programs.

use std::fmt::Write;
use std::time::Duration;

use domain::backtest::{Difference, Standing, Trial, Verdict};
use serde_json::{Value, json};

use super::outcome::Outcome;
use super::tally::{EXAMPLES, Ends, Group, Stakes, Tally};
use command_line::duration;
use command_line::output::screen::wrapped;
use command_line::output::{Palette, Tint, printable};
use command_line::table::{Side, Table};

/// A table of the counts, and a few examples of each kind of difference.
pub fn render(tally: &Tally, time: Duration, palette: Palette, width: Option<usize>) -> String {
    let orders = tally.orders();
    if orders == 0 {
        return "No order matches\n".to_owned();
    }
    let mut table = Table::new([("OUTCOME", Side::Left), ("ORDERS", Side::Right), ("EXAMPLE", Side::Left)]);
    let mut row = |what: String, tint, orders: u64, examples: Vec<&String>| {
        let one = examples.first().map(|id| (*id).clone()).unwrap_or_default();
        table.row([(what, tint), (orders.to_string(), Tint::Plain), (one, Tint::Dim)]);
    };
    if tally.same > 0 {
        row("the same".to_owned(), Tint::Good, tally.same, Vec::new());
    }
    for (step, group) in &tally.differs {
        row(format!("differs {}", at(step.as_deref())), Tint::Bad, group.orders, group.examples.keys().collect());
    }
    for ((whom, kind), group) in &tally.unknown {
        let what = format!("cannot be known: {whom} {}", kind.in_words());
        row(what, Tint::Uneasy, group.orders, group.examples.keys().collect());
    }
    for (why, group) in &tally.broken {
        row(format!("cannot be read: {why}"), Tint::Bad, group.orders, group.examples.keys().collect());
    }
    let mut text = table.render(palette);
    for (step, group) in &tally.differs {
        for (id, difference) in &group.examples {
            text.push('\n');
            text.push_str(&example(id, step.as_deref(), difference, width));
        }
        let more = group.orders.saturating_sub(EXAMPLES as u64);
        if more > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n  … and {more} more that differ {}", at(step.as_deref()));
        }
    }
    if !tally.ends.is_empty() {
        text.push('\n');
    }
    for (ends, stakes) in &tally.ends {
        text.push_str(&wrapped("  ", &printable(&stake(ends, stakes)), width));
    }
    for (whom, times) in &tally.supposed {
        let _ = writeln!(text, "\n{whom} was answered by a rule {times} times");
    }
    let _ = writeln!(text, "\n{orders} orders in {}{}", duration::render(time), duration::rate(orders, time));
    text
}

fn at(step: Option<&str>) -> String {
    step.map_or_else(|| "at no step".to_owned(), |step| format!("at {step}"))
}

fn example(id: &str, step: Option<&str>, difference: &Difference, width: Option<usize>) -> String {
    let Difference { revision, then, now, ended_then, ended_now, .. } = difference;
    let mut text = wrapped("  ", &format!("Order {id}, {}, event {revision}", at(step)), width);
    let sides = [("    then  ", then), ("    now   ", now)];
    for (title, sentences) in sides {
        let nothing = ["nothing".to_owned()];
        let sentences = if sentences.is_empty() { &nothing } else { sentences.as_slice() };
        for (index, sentence) in sentences.iter().enumerate() {
            let margin = if index == 0 { title } else { "          " };
            text.push_str(&wrapped(margin, &printable(sentence), width));
        }
    }
    let ends = format!("{}; now {}", standing(ended_then), standing(ended_now));
    text.push_str(&wrapped("    ends  ", &printable(&format!("then {ends}")), width));
    text
}

/// What a difference means in orders and money.
fn stake(Ends { then, now }: &Ends, Stakes { orders, totals }: &Stakes) -> String {
    let totals = totals.iter().map(|(currency, total)| format!("{total} {currency}")).collect::<Vec<_>>().join(", ");
    let noun = if *orders == 1 { "order" } else { "orders" };
    format!("{orders} {noun} ({totals}) would end {}, not {}", standing(now), standing(then))
}

fn standing(standing: &Standing) -> String {
    let Standing { status, state, is_known } = standing;
    let far = if *is_known { "" } else { ", as far as it can be known" };
    format!("{status} ({state}{far})")
}

/// A line for an order that is not the same.
pub fn line(id: &str, outcome: &Outcome) -> Option<Value> {
    match outcome {
        Outcome::PassedOver | Outcome::Tried(Trial { verdict: Verdict::Same, .. }, _) => None,
        Outcome::Broken(why) => Some(json!({ "order": id, "verdict": "broken", "reason": why })),
        Outcome::Tried(Trial { verdict: Verdict::Differs(difference), supposed }, _) => {
            let mut line = difference_json(id, difference);
            (line["verdict"], line["step"], line["supposed"]) =
                (json!("differs"), json!(difference.step), json!(supposed));
            Some(line)
        }
        Outcome::Tried(Trial { verdict: Verdict::Unknown(unknown), supposed }, _) => {
            let unknown = unknown.iter().map(|unknown| {
                json!({
                    "step": unknown.step, "direction": unknown.direction.as_str(),
                    "action": unknown.addressee, "because": unknown.kind.as_str(),
                })
            });
            let unknown: Vec<Value> = unknown.collect();
            Some(json!({ "order": id, "verdict": "unknown", "unknown": unknown, "supposed": supposed }))
        }
    }
}

/// What differs in an order.
fn difference_json(id: &str, difference: &Difference) -> Value {
    let Difference { revision, then, now, ended_then, ended_now, .. } = difference;
    json!({
        "order": id, "revision": revision, "then": then, "now": now,
        "endedThen": standing_json(ended_then), "endedNow": standing_json(ended_now),
    })
}

fn standing_json(standing: &Standing) -> Value {
    json!({ "status": standing.status, "state": standing.state, "known": standing.is_known })
}

fn ends_json((Ends { then, now }, Stakes { orders, totals }): (&Ends, &Stakes)) -> Value {
    let totals = totals.iter().map(|(currency, total)| json!({ "currency": currency, "amount": total }));
    json!({
        "then": standing_json(then), "now": standing_json(now), "orders": orders, "totals": totals.collect::<Vec<_>>(),
    })
}

/// The counts, with a few examples of each kind.
pub fn summary(tally: &Tally, time: Duration) -> Value {
    let ids = |group: &Group<()>| group.examples.keys().cloned().collect::<Vec<_>>();
    let differs = tally.differs.iter().map(|(step, group)| {
        let examples = group.examples.iter().map(|(id, difference)| difference_json(id, difference));
        json!({ "step": step, "orders": group.orders, "examples": examples.collect::<Vec<_>>() })
    });
    let unknown = tally.unknown.iter().map(|((whom, kind), group)| {
        json!({ "action": whom, "because": kind.as_str(), "orders": group.orders, "examples": ids(group) })
    });
    let broken = tally
        .broken
        .iter()
        .map(|(why, group)| json!({ "reason": why, "orders": group.orders, "examples": ids(group) }));
    json!({
        "orders": tally.orders(),
        "same": tally.same,
        "differs": tally.differing(),
        "unknown": tally.unknowable(),
        "differsAt": differs.collect::<Vec<_>>(),
        "unknownOf": unknown.collect::<Vec<_>>(),
        "broken": broken.collect::<Vec<_>>(),
        "ends": tally.ends.iter().map(ends_json).collect::<Vec<_>>(),
        "supposed": tally.supposed,
        "seconds": time.as_secs_f64(),
    })
}
