//! The checks. All of them run at once.

mod certificates;
mod clock;
mod folders;
mod issuers;
mod listeners;
mod log;
mod other_role;
mod participants;
mod postgres;

use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use crate::finding::Finding;
use crate::role::Role;
use crate::surroundings::Surroundings;

/// The limit for each check. They run at once, so the command ends within five seconds.
const LIMIT: Duration = Duration::from_secs(3);

type Check<'a> = Pin<Box<dyn Future<Output = Vec<Finding>> + 'a>>;

/// What is found about these roles. `write`: an event is appended to the log.
pub async fn all(roles: &[Role], write: bool, surroundings: &Surroundings) -> Vec<Finding> {
    let mut checks: Vec<Check<'_>> = Vec::new();
    for server in log::servers(roles) {
        checks.push(limited("log", server.check(write)));
    }
    for server in postgres::servers(roles) {
        checks.push(limited("Postgres", server.check()));
    }
    for role in roles {
        checks.push(limited(listeners::about(role), listeners::check(role)));
        checks.push(limited("issuers", issuers::check(role)));
        checks.push(limited("certificates", async { certificates::check(role) }));
        checks.push(limited("folders", folders::check(role)));
        checks.push(limited("other role", other_role::check(role)));
        if let Some(calls) = &role.calls {
            checks.push(limited("participants", participants::check(calls, surroundings)));
        }
    }
    let mut findings: Vec<Finding> = join_all(checks).await.into_iter().flatten().collect();
    findings.push(Finding::of("open files", surroundings.open_files.clone().map(|()| "enough may be open")));
    findings
}

fn limited<'a>(about: impl Into<String>, check: impl Future<Output = Vec<Finding>> + 'a) -> Check<'a> {
    let about = about.into();
    Box::pin(async move {
        timeout(LIMIT, check).await.unwrap_or_else(|_| {
            let seconds = LIMIT.as_secs();
            let told = format!("no answer within {seconds} s; is it running, and does the network reach it?");
            vec![Finding::fault(about, told)]
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_gets_no_answer_ends_with_a_fault() {
        let found = limited("log", std::future::pending()).await;
        assert_eq!((found.len(), found[0].level, &*found[0].about), (1, Level::Fault, "log"));
        assert!(found[0].detail.contains("does the network reach it?"), "{found:?}");
    }
}
