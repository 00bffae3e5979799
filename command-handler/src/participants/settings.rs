//! What a deployment decides about participants' URLs: the values of `${NAME}`, since services move
//! while orders are under way, and the hosts that requests may go to.

use std::collections::BTreeMap;

use domain::workflow::address::{self, AddressFault};
use http_client::Destinations;
use reqwest::Url;
use secrets::{SecretError, SecretString, Sources, exposed};

/// Values for the `${NAME}` in participants' URLs, and the hosts that these may lead to.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The values by name. They may hold passwords.
    pub urls: BTreeMap<String, SecretString>,
    /// The permitted hosts.
    pub destinations: Destinations,
}

impl Settings {
    /// The variables of the environment whose names end with `_URL`, or the files that name them.
    pub fn in_environment(destinations: Destinations) -> Result<Self, SecretError> {
        Ok(Self { urls: Sources::of_environment().ending("_URL")?, destinations })
    }

    /// Puts the value in, and checks the host, as far as its name tells.
    pub fn resolve(&self, url: &str) -> Result<Url, AddressFault> {
        let url = address::resolve(url, |name| exposed(self.urls.get(name)))?;
        self.destinations.check(&url).map_err(|error| AddressFault::NotPermitted(error.to_string()))?;
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use domain::workflow::Workflow;

    use super::*;
    use crate::participants::{ActionRequest, HttpParticipants, NoAddress, NotSent, Participants, failing_exchanges};

    fn with_urls<const N: usize>(urls: [(&str, &str); N]) -> Settings {
        let urls = urls.map(|(name, value)| (name.to_owned(), value.into())).into();
        Settings { urls, ..Settings::default() }
    }

    fn ask(url: &str) -> ActionRequest {
        ActionRequest {
            participant: "tax".to_owned(),
            action: "calculate".to_owned(),
            ..failing_exchanges::ask(url, 1)
        }
    }

    #[tokio::test]
    async fn a_request_without_an_address_is_not_sent_and_the_reason_names_the_setting() {
        let settings = with_urls([
            ("GOOD_URL", "http://u:s3cret@h/v1"),
            ("BAD_URL", "h:80"),
            ("QUERY_URL", "http://h?a=s3cret"),
            ("CLOUD_URL", "http://u:s3cret@169.254.169.254/"),
        ]);
        let participants = HttpParticipants::new(settings, "http://127.0.0.1:1", 4).unwrap();
        for (url, reason) in [
            ("${TAX_URL}", "the setting TAX_URL has no value"),
            ("${BAD_URL}/x", "BAD_URL must start with http://"),
            ("${QUERY_URL}", "QUERY_URL must not hold '?'"),
            ("${GOOD_URL}@elsewhere.example/", "away from what the setting GOOD_URL names"),
            ("http://h/api?tenant=blue", "must not hold '?'"),
            ("http://0xa9fea9fe/", "169.254.169.254: it is a link-local address"),
            ("${CLOUD_URL}", "requests must not go to 169.254.169.254"),
        ] {
            let refused = participants.turn(&ask(url), None).await.unwrap_err();
            let NotSent::NoTurn(refused) = refused else { panic!("{url}: {refused:?}") };
            assert!(refused.contains(reason) && !refused.contains("s3cret"), "{url}: {refused}");
        }
        let admitted = participants.turn(&ask("${GOOD_URL}/tax/"), None).await.unwrap().unwrap();
        let target = admitted.service().target("calculate").unwrap();
        assert_eq!(target.as_str(), "http://u:s3cret@h/v1/tax/calculate");
    }

    #[tokio::test]
    async fn the_participants_that_cannot_be_asked_here_are_known_before_any_order() {
        let settings = with_urls([("GOOD_URL", "http://h")]);
        let participants = HttpParticipants::new(settings, "http://127.0.0.1:1", 4).unwrap();
        let source = "workflow: w\nversion: 1\nparticipants:\n  good: { url: '${GOOD_URL}/x' }\n  tax: { url: '${TAX_URL}' }\n  \
                      told: { events: true }\nsteps: { a: { call: good.a }, b: { call: tax.b }, c: { request: told.c } }";
        let workflow = Workflow::parse(source).unwrap();
        let fault = AddressFault::Missing("TAX_URL".to_owned());
        let cannot = [NoAddress { participant: "tax".to_owned(), fault }];
        assert_eq!(participants.unresolvable(&workflow), cannot);
        assert_eq!(participants.states(), [], "a definition that is only checked lists no circuit");
        assert_eq!(participants.without_address(&workflow), cannot);
        assert_eq!(participants.states().len(), 2);
    }
}
