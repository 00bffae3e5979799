//! `tenuto audit verify`: compares log, chains, seals and views with what was written.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args};
use domain::ids::OrderId;
use domain::proof::keys::PublicKey;
use event_store::EventStore;
use event_store_node::{NodeError, StorageError};

use super::error::AuditError;
use super::findings::{Finding, Findings, Report};
use super::seals::read_keys;
use super::verification::Verification;
use super::walk::Walking;
use super::{bundle, order_id};
use command_line::progress::Progress;
use secrets::{SecretString, exposed};
use servers::log::{LogArgs, OpenError};
use servers::{NotNamed, connect};

/// Options of `tenuto audit verify`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["order", "all", "bundle"]).required(true)))]
pub struct VerifyArgs {
    /// Check only this order: its chain, and its rows in the views
    #[arg(value_parser = order_id)]
    order: Option<OrderId>,
    /// Check everything: the log, each order's chain, the seals, the views
    #[arg(long)]
    all: bool,
    /// Check this bundle (see `tenuto audit export`): its chain, proof and signature. No server is
    /// needed
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A seal that was kept outside of the log: the log must still have it, and what it covers. May
    /// be given several times
    #[arg(long, value_name = "FILE", requires = "all")]
    seal: Vec<PathBuf>,
    /// The orders of a seal (see `tenuto audit seal --heads`), to name those that changed since the
    /// seal. May be given several times
    #[arg(long, value_name = "FILE", requires = "all")]
    heads: Vec<PathBuf>,
    /// The public key (PEM) that seals must be signed with. May be given several times, if the key
    /// was replaced
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// Fail if no database is known, instead of leaving the views out
    #[arg(long)]
    views: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    log: LogArgs,
    /// The Postgres with the views [default: the database of the Tenuto that runs in the folder
    /// .tenuto, if the log is its log]
    #[arg(long, env = "TENUTO_POSTGRES", value_name = "postgres://…", hide_env_values = true)]
    postgres: Option<SecretString>,
}

/// Verifies an order, a bundle, or everything, and reports the differences.
pub async fn verify(args: &VerifyArgs) -> Result<Report, AuditError> {
    let keys = read_keys(&args.public_key)?;
    match &args.bundle {
        Some(file) => bundle::verify(file, &keys),
        None => with_log(args, keys).await,
    }
}

async fn with_log(args: &VerifyArgs, keys: Vec<PublicKey>) -> Result<Report, AuditError> {
    let views = match exposed(args.postgres.as_ref()) {
        None => args.log.views().map_err(OpenError::from)?,
        named => named.map(str::to_owned),
    };
    let pool = match &views {
        Some(url) => Some(connect(url).await?),
        None if args.views => return Err(NotNamed::POSTGRES.into()),
        None => None,
    };
    let log = match args.log.open().await {
        Err(OpenError::Node { source: NodeError::Log { folder, source: StorageError::Damaged(reason) }, .. }) => {
            return Ok(damaged(&format!("in {} cannot be opened: it is damaged: {reason}", folder.display())));
        }
        opened => opened?,
    };
    let mut verification = Verification::with(keys, Arc::new(Progress::start(Walking::default())));
    let done = match &args.order {
        Some(order) => verification.order(&log, pool.as_ref(), order).await,
        None => verification.all(&log, pool.as_ref(), &args.seal, &args.heads).await,
    };
    log.close().await;
    done?;
    verification.report()
}

/// Verifies a log alone: without views, and without seals that were kept outside of it.
pub async fn verify_log(store: EventStore) -> Result<Report, AuditError> {
    let mut verification = Verification::with(vec![], Arc::new(Progress::start(Walking::default())));
    verification.all(&store.into(), None, &[], &[]).await?;
    verification.report()
}

fn damaged(reason: &str) -> Report {
    let mut findings = Findings::default();
    findings.add(Finding::Log { reason: reason.to_owned() });
    Report::new(vec![], vec!["nothing else could be checked".to_owned()], findings)
}
