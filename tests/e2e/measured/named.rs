//! Rules and dashboards name only what roles serve.

use std::collections::BTreeSet;
use std::path::Path;

use metrics::Kind;

use super::described;

/// The names of samples in an expression of Prometheus, each with the labels that it selects by.
fn selected(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    for (at, _) in expression.match_indices(|c: char| c.is_ascii_lowercase()) {
        if expression[..at].ends_with(is_name) {
            continue;
        }
        let rest = &expression[at..];
        let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
        let is_ours = name.starts_with("tenuto_") || name.starts_with("process_");
        if !is_ours || name.contains(':') {
            continue;
        }
        let matchers = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = matchers.map(|(matchers, _)| {
            let label = |part: &str| part.split(['=', '!']).next().unwrap_or_default().trim().to_owned();
            matchers.split(',').map(label).collect()
        });
        found.push((name, labels.unwrap_or_default()));
    }
    found
}

/// The values of these fields, wherever they stand.
fn texts<'a>(value: &'a serde_json::Value, field: &str, found: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Object(fields) => {
            found.extend(fields.get(field).and_then(serde_json::Value::as_str));
            fields.values().for_each(|value| texts(value, field, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| texts(value, field, found)),
        _ => {}
    }
}

#[test]
fn rules_and_dashboards_name_only_metrics_and_labels_that_are_served() {
    let described = described();
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let rules = std::fs::read_to_string(deploy.join("prometheus/rules.yml")).unwrap();
    let mut expressions = vec![("rules.yml".to_owned(), rules)];
    for entry in std::fs::read_dir(deploy.join("grafana")).unwrap() {
        let path = entry.unwrap().path();
        let dashboard: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        texts(&dashboard, "expr", &mut found);
        texts(&dashboard, "definition", &mut found);
        assert!(found.len() > 5, "{path:?} has no panels");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        expressions.extend(found.into_iter().map(|text| (name.clone(), text.to_owned())));
    }
    let mut named = BTreeSet::new();
    for (file, expression) in &expressions {
        for (name, labels) in selected(expression) {
            let metric = described.iter().find(|metric| match metric.kind {
                Kind::Histogram => {
                    name.strip_prefix(metric.name).is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end))
                }
                Kind::Counter | Kind::Gauge | Kind::Info => metric.sampled() == name,
            });
            let metric = metric.unwrap_or_else(|| panic!("{file} names {name}, which no role serves"));
            for label in labels {
                let is_known = metric.labels.contains(&label.as_str()) || ["job", "instance", "le"].contains(&&*label);
                assert!(is_known, "{file}: {name} has no label {label:?}");
            }
            named.insert(metric.name);
        }
    }
    assert!(named.len() > 40, "only {} metrics are shown", named.len());
}
