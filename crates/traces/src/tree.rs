//! A trace as a tree of lines.

use std::collections::BTreeMap;
use std::fmt::Write;

use command_line::duration;
use command_line::output::{Palette, Tint, printable};
use domain::trace::{Kind, Span, SpanId};

/// The spans below each parent.
type Children<'a> = BTreeMap<Option<SpanId>, Vec<&'a Span>>;

/// The spans as a tree, each with the time since the order was placed and its duration.
pub fn of(spans: &[Span], palette: Palette) -> String {
    let Some(root) = spans.iter().find(|span| span.kind == Kind::Order) else { return String::new() };
    let mut children = Children::new();
    for span in spans.iter().filter(|span| span.kind != Kind::Order) {
        children.entry(span.parent).or_default().push(span);
    }
    for below in children.values_mut() {
        below.sort_by_key(|span| (span.start, span.id));
    }
    let mut text = format!("trace {}\n", root.trace);
    if let Some(parent) = root.parent {
        // Writing to a text does not fail.
        let _ = writeln!(text, "below the span {parent} of the shop");
    }
    let mut tree = Tree { text, children, begun: root, palette };
    tree.line(root, "", "");
    tree.text
}

struct Tree<'a> {
    text: String,
    children: Children<'a>,
    begun: &'a Span,
    palette: Palette,
}

impl Tree<'_> {
    /// Adds the line of a span, and those below it.
    fn line(&mut self, span: &Span, branch: &str, indent: &str) {
        let at = duration::render(duration::between(self.begun.start, span.start));
        let took = match span.end {
            Some(end) => duration::render(duration::between(span.start, end)),
            None => "lasts".to_owned(),
        };
        let (tint, result) = match (span.error, span.text("tenuto.outcome")) {
            (Some(error), _) => (Tint::Bad, error),
            (None, Some(outcome)) => (Tint::Good, outcome),
            (None, None) => (Tint::Plain, span.text("tenuto.order.state").unwrap_or_default()),
        };
        let result = printable(result);
        let result = self.palette.paint(tint, &result);
        let name = printable(&span.name);
        let id = self.palette.paint(Tint::Dim, &span.id.to_string()).into_owned();
        let line = format!("{at:>10} {took:>10}  {id}  {branch}{name}  {result}");
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        let below = self.children.remove(&Some(span.id)).unwrap_or_default();
        let last = below.len().saturating_sub(1);
        for (index, child) in below.into_iter().enumerate() {
            let (corner, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.line(child, &format!("{indent}{corner}"), &format!("{indent}{below}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::order::Event;
    use domain::replay::Recorded;
    use domain::testing::{Story, done, order, unclear};
    use domain::trace::{SampleRatio, project};
    use domain::wire::Metadata;
    use domain::workflow::Workflow;

    use super::*;

    #[test]
    fn each_span_is_a_line_below_its_parent() {
        let source = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps: { go: { call: p.go }, \
                      on: { call: p.on } }";
        let workflow = Workflow::parse(source).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("go", unclear("503")).whatever();
        story.tick_when_due().whatever();
        story.answer("go", done()).whatever();
        let recorded = |(revision, event): (u64, &Event)| Recorded {
            id: uuid::Uuid::from_u128(u128::from(revision) + 1),
            revision,
            event: event.clone(),
            metadata: Metadata {
                correlation_id: "1".to_owned(),
                causation_id: None,
                traceparent: None,
                approved_by: None,
                actor: None,
                reason: None,
                schema: 1,
                hash: String::new(),
            },
        };
        let history: Vec<Recorded> = (0..).zip(story.history()).map(recorded).collect();
        let text = of(&project(&history, SampleRatio::ALL), Palette::NONE);
        // Without the columns of times and ids.
        let lines: Vec<String> = text.lines().skip(1).map(|line| line.chars().skip(41).collect()).collect();
        let expected =
            ["order w", "├─ step go  done", "│  ├─ p.go  transient", "│  └─ p.go  done", "└─ step on", "   └─ p.on"];
        assert_eq!(lines, expected, "{text}");
    }
}
