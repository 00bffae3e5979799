//! A timeline as one HTML file: it loads no other file, runs no script, and can be printed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::ids::OrderId;
use event_store::RecordedEvent;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use order_stream::FoldedOrder;
use sha2::{Digest, Sha256};

use super::entry::Entry;
use crate::findings::Finding;
use command_line::duration;
use command_line::output::{printable, printable_lines};

const STYLE: &str = include_str!("page.css");

pub(super) fn page(order: &OrderId, events: &[RecordedEvent], entries: &[Entry], findings: &[Finding]) -> String {
    let title = format!("Order {order}");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width";
                title { (printable(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (printable(&title)) }
                dl {
                    @for (name, fact) in facts(events, entries) {
                        dt { (name) }
                        dd { (printable(&fact)) }
                    }
                }
                (proof(entries, findings))
                (table(entries))
            }
        }
    };
    page.into_string() + "\n"
}

/// The style of the page is allowed by its hash, and nothing else.
fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
}

/// Facts about the order, from its events.
fn facts(events: &[RecordedEvent], entries: &[Entry]) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(FoldedOrder { state, .. }) = order_stream::fold(events).ok().flatten() {
        let placed = &state.placed;
        facts.push(("Status", format!("{} ({})", state.status, state.state().as_str())));
        facts.push(("Workflow", format!("{} {}", placed.workflow.name, placed.workflow.version)));
        facts.push(("Customer", placed.customer_id.clone()));
        facts.push(("Total", format!("{} {}", placed.total, placed.currency)));
        facts.extend(state.stuck_reason().map(|reason| ("Stuck", reason.to_owned())));
    }
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        let lived = (last.recorded_at - first.recorded_at).to_std().unwrap_or_default();
        facts.push(("First event", first.recorded_at.format("%F %T%.3f UTC").to_string()));
        facts.push((
            "Last event",
            format!("{}, {} later", last.recorded_at.format("%F %T%.3f UTC"), duration::render(lived)),
        ));
    }
    facts
}

fn proof(entries: &[Entry], findings: &[Finding]) -> Markup {
    let last_hash = entries.last().and_then(|last| last.hash.as_deref()).unwrap_or_default();
    html! {
        @if findings.is_empty() {
            p class="proof" {
                "The hashes of the " (entries.len()) " events fit together; the last is "
                code { (printable(last_hash)) } ". This page proves nothing by itself: "
                code { "tenuto audit export --format bundle" } " writes a proof."
            }
        } @else {
            div class="faults" {
                p { "This history is not the one that was recorded:" }
                ul {
                    @for finding in findings {
                        li { (printable(&finding.to_string())) }
                    }
                }
            }
        }
    }
}

fn table(entries: &[Entry]) -> Markup {
    let longest = entries.iter().map(|entry| entry.since_previous_ms).max().unwrap_or(0).max(1);
    html! {
        table {
            thead {
                tr {
                    th { "#" }
                    th { "Recorded (UTC)" }
                    th colspan="2" { "After" }
                    th { "Step" }
                    th { "What happened" }
                }
            }
            tbody {
                @for entry in entries { (row(entry, longest)) }
            }
        }
    }
}

/// The row of an event. `longest`: the longest time between two events, in milliseconds.
fn row(entry: &Entry, longest: i64) -> Markup {
    let waited = entry.since_previous_ms.max(0);
    let share = waited * 100 / longest;
    let data = serde_json::to_string_pretty(&entry.data).unwrap_or_default();
    html! {
        tr {
            td class="n" { (entry.revision) }
            td class="n" { (entry.recorded_at.format("%F %T%.3f").to_string()) }
            td class="n" { "+" (duration::render(Duration::from_millis(waited.unsigned_abs()))) }
            td class="bar" { svg { rect width={ (share) "%" } height="100%" {} } }
            td class="n" { (printable(entry.step.as_deref().unwrap_or_default())) }
            td {
                (printable(&entry.summary))
                @if let Some(actor) = &entry.actor {
                    br;
                    small class="by" { "by " (printable(actor)) (reason(entry)) }
                }
                details {
                    summary { (printable(&entry.event_type)) }
                    pre { (printable_lines(&data)) }
                    small {
                        "event " (entry.event_id.to_string()) br;
                        "hash " (printable(entry.hash.as_deref().unwrap_or("none")))
                    }
                }
            }
        }
    }
}

fn reason(entry: &Entry) -> String {
    entry.reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        html! { (printable(text)) }.into_string()
    }

    #[test]
    fn text_from_outside_is_never_markup() {
        assert_eq!(
            shown("<script>alert('a' & \"b\")</script>"),
            "&lt;script&gt;alert('a' &amp; &quot;b&quot;)&lt;/script&gt;"
        );
        assert_eq!(shown("a\u{202e}b\n"), "a\\u{202e}b\\n");
        assert_eq!(html! { (printable_lines("{\n <b>\n}")) }.into_string(), "{\n &lt;b&gt;\n}");
    }

    #[test]
    fn the_policy_of_the_page_allows_its_own_style_alone() {
        let page = page(&OrderId::new("A").unwrap(), &[], &[], &[]);
        assert!(!page.contains("unsafe-inline") && !page.contains(" style=") && !page.contains("<script"), "{page}");
        let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(
            page.contains(&format!("style-src &#39;sha256-{hash}&#39;"))
                || page.contains(&format!("style-src 'sha256-{hash}'"))
        );
    }
}
