//! What `tenuto audit verify` does for one order or for all: it checks log, seals and views.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use command_line::progress::Progress;
use domain::ids::OrderId;
use domain::proof::keys::PublicKey;
use domain::proof::seal::SealFault;
use event_store::{ReadError, Removal};
use sqlx::PgPool;

use super::error::AuditError;
use super::findings::{Finding, Findings, Report};
use super::histories::faults;
use super::seals::Seals;
use super::walk::{Walked, Walking, in_words, walk};
use super::{heads, views};
use servers::log::Log;

/// What was checked so far, and the findings.
pub(super) struct Verification {
    keys: Vec<PublicKey>,
    findings: Findings,
    looked_at: Vec<String>,
    notes: Vec<String>,
    /// The log has no order up to this position, and no views were compared that may have one.
    saw_nothing: Option<u64>,
    progress: Arc<Progress<Walking>>,
}

impl Verification {
    /// An empty verification. Seals must be signed with one of these keys, if there are any.
    /// `progress` has the counts of the walk through the log.
    pub fn with(keys: Vec<PublicKey>, progress: Arc<Progress<Walking>>) -> Self {
        Self { keys, findings: Findings::default(), looked_at: vec![], notes: vec![], saw_nothing: None, progress }
    }

    /// The report. An error if there was nothing to check.
    pub fn report(self) -> Result<Report, AuditError> {
        match self.saw_nothing {
            Some(end) if self.findings.is_empty() => Err(AuditError::NothingToVerify(end)),
            _ => Ok(Report::new(self.looked_at, self.notes, self.findings)),
        }
    }

    /// Checks one order.
    pub async fn order(&mut self, log: &Log, pool: Option<&PgPool>, order: &OrderId) -> Result<(), AuditError> {
        let end = log.end().await?;
        let stream = order.stream();
        match log.store.stream_limits(&stream).await {
            Ok(limits) if limits.is_none() => {}
            Ok(limits) => {
                let reason = in_words(limits, None);
                self.findings.add(Finding::Stream { stream: stream.clone(), reason });
            }
            // The read of the stream reports it.
            Err(ReadError::StreamDeleted(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let read = log.stream(&stream, end).await;
        // A scavenge removes the first events of a stream, or all its visible ones. The number of
        // its records grows with all scavenges, so they are read only for such a stream.
        let is_whole = read.as_ref().is_ok_and(|events| events.first().is_some_and(|first| first.revision == 0));
        if !is_whole {
            self.removed(log, |removed| removed == stream).await?;
        }
        match read {
            Ok(events) if self.findings.is_empty() && events.is_empty() && pool.is_none() => {
                return Err(AuditError::NoSuchOrder(order.to_string()));
            }
            Ok(events) => {
                let faults = faults(order, &events, None);
                self.findings.extend(faults.into_iter().map(|fault| Finding::Order { order: order.clone(), fault }));
                self.looked_at.push(format!("log: {} events of order {order}, up to position {end}", events.len()));
                if let (true, Some(pool)) = (events.is_empty(), pool) {
                    views::one(log, pool, order, &mut self.findings).await?;
                    let known = !self.findings.is_empty();
                    return known.then_some(()).ok_or_else(|| AuditError::NoSuchOrder(order.to_string()));
                }
            }
            Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
            Err(error) => self.findings.add(Finding::Stream { stream, reason: error.to_string() }),
        }
        if let Some(pool) = pool {
            let checkpoint = views::checkpoint(log, pool, &mut self.findings).await?;
            views::one(log, pool, order, &mut self.findings).await?;
            self.looked_at.push(format!("views: order {order}, up to position {}", checkpoint.unwrap_or(0)));
        } else {
            self.without_views();
        }
        self.notes.push(
            "seals: not checked; --all checks them, and a bundle (tenuto audit export) proves what they cover"
                .to_owned(),
        );
        Ok(())
    }

    /// Checks everything.
    pub async fn all(
        &mut self,
        log: &Log,
        pool: Option<&PgPool>,
        outside: &[PathBuf],
        heads: &[PathBuf],
    ) -> Result<(), AuditError> {
        let end = log.end().await?;
        let mut seals = Seals::read(log, &self.keys).await?;
        let inside = seals.known.len();
        for file in outside {
            seals.compare(file, &self.keys)?;
        }
        self.findings.extend(std::mem::take(&mut seals.findings));
        for seal in seals.known.iter().filter(|seal| seal.position > end) {
            let reason =
                format!("covers position {}, and the log ends at position {end}: it was cut off", seal.position);
            self.findings.add(Finding::Sealed { seal: seal.number.to_string(), reason });
        }
        let heads = heads::read_all(heads, &seals)?;
        let stops: BTreeSet<u64> =
            seals.stops(end).into_iter().chain(heads.iter().map(|heads| heads.stop(end))).collect();
        let mut suspects = Vec::new();
        let progress = self.progress.clone();
        let walked = walk(log, end, &stops.into_iter().collect::<Vec<_>>(), &progress, |tree| {
            self.findings.extend(seals.differing(&tree));
            let here = heads.iter().filter(|heads| heads.stop(end) == tree.position);
            suspects.extend(here.flat_map(|heads| heads.suspects(&tree)));
        })
        .await?;
        for suspect in suspects {
            self.findings.extend(suspect.named(log).await?);
        }
        for seal in seals.known.iter().filter(|seal| walked.log.is_some_and(|log| log != seal.log)) {
            let fault = SealFault::OtherLog { found: seal.log };
            self.findings.add(Finding::Seal { seal: seal.number.to_string(), fault });
        }
        let count = walked.orders.len();
        self.saw_nothing = (count == 0 && pool.is_none()).then_some(end);
        self.looked_at.push(format!("log: {} events of {count} orders, up to position {end}", walked.events));
        self.looked_at.push(match seals.known.iter().map(|seal| seal.position).max() {
            Some(position) => {
                format!("seals: {inside} in the log, {} given; they cover position {position}", outside.len())
            }
            None => "seals: none".to_owned(),
        });
        let Walked { orders, definitions, findings, .. } = walked;
        self.named(log, end, findings).await?;
        self.removed(log, |stream| stream.starts_with(domain::stream_prefix::get())).await?;
        if let Some(pool) = pool {
            if let Some(reason) = views::of_another_log(log, pool).await? {
                self.findings.add(Finding::Log { reason });
                self.notes.push("views: not compared, since they were made from another log".to_owned());
                return Ok(());
            }
            let checkpoint = views::checkpoint(log, pool, &mut self.findings).await?;
            self.saw_nothing = (count == 0 && checkpoint.is_none_or(|at| at <= end)).then_some(end);
            self.findings.extend(views::missing_keys(pool).await?.map(|reason| Finding::Keys { reason }));
            let orders = orders.into_iter().map(|(order, _)| order).collect();
            views::all(log, pool, orders, &definitions, &self.progress, &mut self.findings).await?;
            self.looked_at.push(format!("views: {count} orders, up to position {}", checkpoint.unwrap_or(0)));
        } else {
            self.without_views();
        }
        self.what_is_not_shown(&seals, pool.is_some() || !outside.is_empty());
        Ok(())
    }

    /// Checks each order with a finding again, with all its events. That distinguishes changed
    /// events from moved ones.
    async fn named(&mut self, log: &Log, end: u64, mut walked: Findings) -> Result<(), AuditError> {
        let found = walked.take(|finding| matches!(finding, Finding::Order { .. }));
        self.findings.join(walked);
        let order_of = |finding: &Finding| match finding {
            Finding::Order { order, .. } => Some(order.clone()),
            _ => None,
        };
        let orders: BTreeSet<OrderId> = found.iter().filter_map(order_of).collect();
        for order in orders {
            let faults = match log.stream(&order.stream(), end).await {
                Ok(events) => faults(&order, &events, None),
                Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
                Err(error) => {
                    self.findings.add(Finding::Stream { stream: order.stream(), reason: error.to_string() });
                    vec![]
                }
            };
            if faults.is_empty() {
                // The order's stream and `$all` disagree.
                self.findings
                    .extend(found.iter().filter(|finding| order_of(finding).as_ref() == Some(&order)).cloned());
            }
            self.findings.extend(faults.into_iter().map(|fault| Finding::Order { order: order.clone(), fault }));
        }
        Ok(())
    }

    /// Names the events that scavenges of an embedded log have removed. The removal is recorded,
    /// but the order's history is incomplete nevertheless.
    async fn removed(&mut self, log: &Log, is_looked_at: impl Fn(&str) -> bool) -> Result<(), AuditError> {
        let take = |Removal { stream, revisions, scavenge, recorded_at, .. }: Removal| {
            if is_looked_at(&stream) {
                let (first, last) = revisions.into_inner();
                let reason = format!(
                    "events are missing: the stream was deleted or truncated, and then {scavenge} removed revisions \
                     {first} to {last} (recorded at position {recorded_at})"
                );
                self.findings.add(Finding::Stream { stream, reason });
            }
        };
        Ok(log.store.each_removal(take).await?)
    }

    fn without_views(&mut self) {
        self.notes.push("views: not compared, since no database is named (--postgres)".to_owned());
    }

    fn what_is_not_shown(&mut self, seals: &Seals, knows_the_end: bool) {
        if self.keys.is_empty() && !seals.known.is_empty() {
            let keys = seals.keys().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            self.notes.push(format!(
                "key: none was given (--public-key), so the seals are only known to agree with the key that is in them: {keys}"
            ));
        }
        if !knows_the_end {
            self.notes.push(
                "end: nothing here shows whether events were cut off the end of the log; views (--postgres) and seals that were kept outside (--seal) do"
                    .to_owned(),
            );
        }
    }
}
