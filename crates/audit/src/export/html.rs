//! A timeline as a page of its own: nothing to load, nothing that runs, and fit to be printed.

use std::fmt::Write;
use std::time::Duration;

use domain::ids::OrderId;
use domain::order::{OrderState, evolve};
use domain::wire;
use event_store::client::RecordedEvent;

use super::entry::Entry;
use crate::findings::Finding;
use command_line::duration;
use command_line::output::printable;

const STYLE: &str = include_str!("page.css");

pub(super) fn page(order: &OrderId, events: &[RecordedEvent], entries: &[Entry], findings: &[Finding]) -> String {
    let title = escaped(&format!("Order {order}"));
    let (facts, proof, rows) = (facts(events, entries), proof(entries, findings), rows(entries));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<dl>\n{facts}</dl>\n{proof}<table>\n\
         <thead><tr><th>#</th><th>Recorded (UTC)</th><th colspan=\"2\">After</th><th>Step</th><th>What happened</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</body>\n</html>\n"
    )
}

/// What the order is, as its events say.
fn facts(events: &[RecordedEvent], entries: &[Entry]) -> String {
    let mut facts = Vec::new();
    if let Some(state) = folded(events) {
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
    facts.iter().fold(String::new(), |mut text, (name, fact)| {
        let _ = writeln!(text, "<dt>{name}</dt><dd>{}</dd>", escaped(fact));
        text
    })
}

/// `None`: its events do not make an order.
fn folded(events: &[RecordedEvent]) -> Option<OrderState> {
    events.iter().try_fold(None, |state, event| {
        let decoded = wire::decode(&event.event_type, &event.data, &event.metadata).ok()?;
        evolve(state, &decoded.event).ok().map(Some)
    })?
}

fn proof(entries: &[Entry], findings: &[Finding]) -> String {
    if findings.is_empty() {
        let hash = entries.last().and_then(|last| last.hash.clone()).unwrap_or_default();
        return format!(
            "<p class=\"proof\">The {} events hang together by their hashes; the last is <code>{}</code>. This page proves nothing by itself: \
             <code>tenuto audit export --format bundle</code> writes what does.</p>\n",
            entries.len(),
            escaped(&hash)
        );
    }
    let faults = findings.iter().fold(String::new(), |mut text, finding| {
        let _ = writeln!(text, "<li>{}</li>", escaped(&finding.to_string()));
        text
    });
    format!("<div class=\"faults\"><p>This history is not the one that was recorded:</p>\n<ul>\n{faults}</ul></div>\n")
}

fn rows(entries: &[Entry]) -> String {
    let longest = entries.iter().map(|entry| entry.since_previous_ms).max().unwrap_or(0).max(1);
    entries.iter().fold(String::new(), |mut text, entry| {
        let after = Duration::from_millis(entry.since_previous_ms.max(0).unsigned_abs());
        let share = entry.since_previous_ms.max(0) * 100 / longest;
        let Entry { revision, recorded_at, event_type, summary, step, hash, event_id, .. } = entry;
        let _ = write!(
            text,
            "<tr><td class=\"n\">{revision}</td><td class=\"n\">{}</td><td class=\"n\">+{}</td>\
             <td class=\"bar\"><i style=\"width:{share}%\"></i></td><td class=\"n\">{}</td><td>{}",
            recorded_at.format("%F %T%.3f"),
            duration::render(after),
            escaped(step.as_deref().unwrap_or_default()),
            escaped(summary),
        );
        if let Some(actor) = &entry.actor {
            let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let _ = write!(text, "<br><small class=\"by\">by {}</small>", escaped(&format!("{actor}{reason}")));
        }
        let data = serde_json::to_string_pretty(&entry.data).unwrap_or_default();
        let _ = writeln!(
            text,
            "<details><summary>{}</summary><pre>{}</pre><small>event {event_id}<br>hash {}</small></details></td></tr>",
            escaped(event_type),
            escaped_lines(&data),
            escaped(hash.as_deref().unwrap_or("none")),
        );
        text
    })
}

/// A text as it stands on the page: nothing in it is markup, moves the cursor or turns the writing around.
fn escaped(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_is_markup() {
        assert_eq!(
            escaped("<script>alert('a' & \"b\")</script>"),
            "&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;"
        );
        assert_eq!(escaped("a\u{202e}b\n"), "a\\u{202e}b\\n");
        assert_eq!(escaped_lines("{\n <b>\n}"), "{\n &lt;b&gt;\n}");
    }
}
