//! Metrics: what each role serves, what rules and dashboards name, and whether the counters are
//! what the log says.

mod counted;
mod expected;
mod named;
mod served;

use std::collections::BTreeMap;

use metrics::Described;

/// Samples by their name with labels, as in the text.
type Samples = BTreeMap<String, f64>;

/// The samples of a page.
fn samples(text: &str) -> Samples {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

/// The metrics of all roles and of the node, by name.
fn described() -> Vec<&'static Described> {
    let mut all = probes::metrics::described();
    all.extend(event_store_node::METRICS);
    all.sort_by_key(|metric| metric.name);
    all
}
