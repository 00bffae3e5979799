//! A timeline as one HTML file that verifies itself: it loads no other file, works offline, and can
//! be printed. It holds the bundle, and a script that checks it in a browser.

use std::fmt::Write;
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
const SCRIPT: &str = include_str!("verify.js");

/// The page of an order's history, with its bundle as JSON.
pub(super) fn page(order: &OrderId, events: &[RecordedEvent], findings: &[Finding], bundle: &str) -> String {
    let (title, entries) = (format!("Order {order}"), &Entry::of_all(events));
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
                (faults(findings))
                (proof())
                (table(entries))
                (PreEscaped(embedded(bundle)))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string() + "\n"
}

/// The style and the script of the page are allowed by their hashes, and nothing else.
fn policy() -> String {
    let hash = |text| STANDARD.encode(Sha256::digest(text));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; \
         form-action 'none'"
    )
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

fn faults(findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
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

/// What the script reports.
fn proof() -> Markup {
    html! {
        section class="proof" {
            h2 { "Proof" }
            p id="verdict" { "Nothing is verified yet: open this file in a browser that may run its script." }
            ul id="checks" {}
            p {
                "The proof covers the data of each event, its type, and its place. It does not cover the times of \
                 recording, and the sentences are explanations. The signature proves something to you if you know \
                 from elsewhere whose key it is. Someone who changes this file can change its check too: "
                code { "tenuto audit verify --bundle FILE --public-key KEY" }
                " checks it independently."
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
        tr data-revision=(entry.revision) {
            td class="n" { (entry.revision) }
            td class="n" { (entry.recorded_at.format("%F %T%.3f").to_string()) }
            td class="n" { "+" (duration::render(Duration::from_millis(waited.unsigned_abs()))) }
            td class="bar" { svg { rect width={ (share) "%" } height="100%" {} } }
            td class="n" { (printable(entry.step.as_deref().unwrap_or_default())) }
            td {
                (printable(&entry.summary))
                @if let Some(actor) = &entry.actor {
                    br;
                    small class="by" { "by " (printable(actor)) (approved(entry)) (reason(entry)) }
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

fn approved(entry: &Entry) -> String {
    entry.approved_by.as_ref().map(|person| format!(", approved by {}", printable(person))).unwrap_or_default()
}

fn reason(entry: &Entry) -> String {
    entry.reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default()
}

const BUNDLE_STARTS: &str = "<script type=\"application/json\" id=\"bundle\">";
const BUNDLE_ENDS: &str = "</script>";

/// The bundle as an element that no browser runs. Its text cannot end the element, or act on the
/// terminal or editor that shows the file: in JSON, such characters stand only in texts, where
/// their escapes are the same.
fn embedded(bundle: &str) -> String {
    let mut text = String::with_capacity(bundle.len());
    for c in bundle.chars() {
        if acts(c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    format!("{BUNDLE_STARTS}{text}{BUNDLE_ENDS}")
}

/// Whether a character of a bundle would end its element, control a terminal, or turn the direction
/// of a line.
fn acts(c: char) -> bool {
    // Spaces of JSON stand between texts too, and other controls below 0x20 are escaped already.
    c == '<' || matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The bundle in a page; `None`: the file is not such a page.
pub(crate) fn bundle_in(file: &[u8]) -> Option<&[u8]> {
    let find = |within: &[u8], text: &str| within.windows(text.len()).position(|part| part == text.as_bytes());
    if !file.starts_with(b"<!DOCTYPE html>") {
        return None;
    }
    let rest = &file[find(file, BUNDLE_STARTS)? + BUNDLE_STARTS.len()..];
    Some(&rest[..find(rest, BUNDLE_ENDS)?])
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

    /// The one element that begins so.
    fn element<'p>(page: &'p str, start: &str) -> &'p str {
        assert_eq!(page.matches(start).count(), 1, "{start}");
        page.split_once(start).and_then(|(_, rest)| rest.split_once("</")).unwrap().0
    }

    #[test]
    fn the_policy_of_the_page_allows_its_own_style_and_script_alone() {
        let page = page(&OrderId::new("A").unwrap(), &[], &[], "{}");
        assert!(!page.contains("unsafe-inline") && !page.contains(" style=") && !page.contains(" on"), "{page}");
        for (kind, start) in [("style-src", "<style>"), ("script-src", "<script>")] {
            let hash = STANDARD.encode(Sha256::digest(element(&page, start)));
            assert!(page.contains(&format!("{kind} 'sha256-{hash}'")), "{kind}");
        }
    }

    #[test]
    fn the_bundle_in_a_page_is_the_bundle_that_was_exported() {
        let note = "</script><script>alert(1)</script>\u{9b}31m\u{7f}\u{202e}\u{2066}\u{1f680}\n";
        let bundle = serde_json::json!({ "note": note }).to_string();
        let page = page(&OrderId::new("A").unwrap(), &[], &[], &bundle);
        let read = bundle_in(page.as_bytes()).unwrap();
        assert!(!std::str::from_utf8(read).unwrap().contains(['<', '\u{9b}', '\u{7f}', '\u{202e}', '\u{2066}']));
        let values = [read, bundle.as_bytes()].map(|text| serde_json::from_slice::<serde_json::Value>(text).unwrap());
        assert_eq!(values[0], values[1]);
        assert_eq!(bundle_in(bundle.as_bytes()), None, "it is a bundle itself");
    }
}
