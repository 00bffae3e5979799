//! The role that answers what a role does not answer itself.

use http_client::{builder, no_answer};

use crate::finding::Finding;
use crate::role::Role;

pub async fn check(role: &Role) -> Vec<Finding> {
    let Some((option, url)) = &role.remainder_at else { return Vec::new() };
    let about = format!("{option} of {}", role.name);
    let client = match builder().and_then(reqwest::ClientBuilder::build) {
        Ok(client) => client,
        Err(error) => return vec![Finding::fault(about, error)],
    };
    let probe = format!("{}/livez", url.trim_end_matches('/'));
    vec![match client.get(&probe).send().await {
        Err(error) if error.is_builder() => {
            Finding::fault(about, format!("it is no URL: {error}; give http://HOST:PORT"))
        }
        Err(error) => Finding::warning(about, no_answer(&error)),
        Ok(answer) if answer.status().is_success() => Finding::ok(about, "it answers"),
        Ok(answer) => {
            let status = answer.status();
            Finding::warning(about, format!("it answers {status}, so it is no role of Tenuto; correct the URL"))
        }
    }]
}
