//! The secrets that Tenuto shares with participants, from a file.

use std::collections::BTreeMap;
use std::fmt;

use crate::file::{FromLines, LineFault, lines_of};
use crate::webhook::WebhookSecret;

/// The most secrets of a participant: a new one, and the one that it replaces.
const MAX_SECRETS: usize = 2;

/// The secrets of each participant, by the name that workflows have for it.
#[derive(Clone, Default)]
pub struct ParticipantSecrets(BTreeMap<String, Vec<WebhookSecret>>);

impl ParticipantSecrets {
    /// The secrets of a participant. Without any, its requests are not signed.
    pub fn of(&self, participant: &str) -> &[WebhookSecret] {
        self.0.get(participant).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for ParticipantSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// `participant: [whsec_NEW, whsec_OLD]`, one a line; the brackets may be left out. This is also
/// YAML.
impl FromLines for ParticipantSecrets {
    fn from_lines(text: &str) -> Result<Self, LineFault> {
        let mut secrets = BTreeMap::new();
        for (number, line) in lines_of(text) {
            let fault = |fault: &str| LineFault::at(number, fault);
            let (name, list) = line
                .split_once(':')
                .ok_or_else(|| fault("must be `participant: [SECRET]`, or `participant: [NEW, OLD]`"))?;
            let name = unquoted(name.trim()).to_owned();
            if name.is_empty() {
                return Err(fault("must begin with the name of a participant"));
            }
            let list = list.trim();
            let list = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or(list);
            let of_participant = read(list).map_err(|why| fault(&format!("participant {name}: {why}")))?;
            if secrets.insert(name.clone(), of_participant).is_some() {
                return Err(fault(&format!("participant {name} is listed twice; write both secrets on one line")));
            }
        }
        if secrets.is_empty() {
            return Err(LineFault::of_file("has no participant; write a line like `shipping: [whsec_…]`"));
        }
        Ok(Self(secrets))
    }
}

fn read(list: &str) -> Result<Vec<WebhookSecret>, String> {
    let texts: Vec<&str> = list.split(',').map(|text| unquoted(text.trim())).filter(|text| !text.is_empty()).collect();
    match texts.len() {
        0 => Err("a secret is missing".to_owned()),
        1..=MAX_SECRETS => {
            texts.into_iter().map(|text| WebhookSecret::parse(text).map_err(|error| error.to_string())).collect()
        }
        count => Err(format!("it has {count} secrets; a new and an old one are allowed")),
    }
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const TWO: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn each_participant_has_one_secret_or_two() {
        let text = format!("# ours\nshipping: [{ONE}, \"{TWO}\"]\n\npayments: {TWO}\n'orders': [{ONE}]\n");
        let secrets = ParticipantSecrets::from_lines(&text).unwrap();
        let counts = ["shipping", "payments", "orders", "notifications"].map(|name| secrets.of(name).len());
        assert_eq!(counts, [2, 1, 1, 0]);
        let shown = format!("{secrets:?}");
        assert!(shown.contains("shipping") && !shown.contains("whsec"), "{shown}");
    }

    #[test]
    fn a_mistake_names_the_line_and_the_participant_and_not_the_secret() {
        for (text, parts) in [
            (String::new(), vec!["no participant"]),
            ("shipping".to_owned(), vec!["line 1", "participant: [SECRET]"]),
            (format!(": {ONE}"), vec!["line 1", "the name of a participant"]),
            ("shipping: []".to_owned(), vec!["line 1", "participant shipping", "missing"]),
            (format!("a: {ONE}\nb: whsec_s3cret"), vec!["line 2", "participant b", "24 to 64"]),
            (format!("a: [{ONE}, {ONE}, {TWO}]"), vec!["line 1", "3 secrets"]),
            (format!("a: {ONE}\n\na: {TWO}"), vec!["line 3", "listed twice"]),
        ] {
            let fault = ParticipantSecrets::from_lines(&text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| fault.contains(part)), "{fault}");
            assert!(!fault.contains("s3cret") && !fault.contains("MfKQ"), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
            let _ = ParticipantSecrets::from_lines(&text);
        }
    }
}
