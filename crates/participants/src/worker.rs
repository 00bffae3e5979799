//! The background work of the services: answers to callbacks, mail, and parcels after their
//! handling time.

use event_store::EventStore;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::notifications::Mails;
use crate::options::Options;
use crate::outbox::{self, Leader, POLL};
use crate::shipping::{self, Answers};

/// Delivers what the services have queued until `shutdown`, then finishes deliveries in flight and
/// returns. Several may run: one works, and another takes over when it ends. Answers to requests by
/// events need the `log`. An error means that no HTTP client could be created.
pub async fn run_deliveries(
    pool: PgPool,
    options: Options,
    log: Option<EventStore>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), reqwest::Error> {
    let worker =
        Worker { answers: Answers::new(&options, log)?, mails: options.mail_server.clone().map(Mails), pool, options };
    let (stop, stopped) = watch::channel(false);
    let told_to_stop = async {
        shutdown.await;
        stop.send_replace(true);
    };
    tokio::join!(worker.run(stopped), told_to_stop);
    Ok(())
}

struct Worker {
    answers: Answers,
    mails: Option<Mails>,
    pool: PgPool,
    options: Options,
}

impl Worker {
    async fn run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let Err(failure) = self.lead(&mut stop).await else { return };
            tracing::warn!(error = %failure, "deliveries are interrupted");
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Works while it holds the right to deliver, until `stop`.
    async fn lead(&self, stop: &mut watch::Receiver<bool>) -> Result<(), sqlx::Error> {
        let Some(leader) = Leader::elect(&self.pool, stop).await? else { return Ok(()) };
        let Self { pool, options, .. } = self;
        let wake = &options.wake;
        let answers = outbox::empty(&self.answers, &wake.answers, &leader, pool, options, stop.clone());
        let mails = async {
            match &self.mails {
                Some(mails) => outbox::empty(mails, &wake.mails, &leader, pool, options, stop.clone()).await,
                None => Ok(()),
            }
        };
        let parcels = shipping::pack(&leader, pool, wake, stop.clone());
        tokio::try_join!(answers, mails, parcels)?;
        leader.resign().await
    }
}
