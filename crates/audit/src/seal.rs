//! `tenuto audit seal`: signs the state of all orders, up to a position.

use std::fmt;
use std::path::PathBuf;

use chrono::{SubsecRound, Utc};
use clap::Args;
use command_line::progress::Progress;
use domain::proof::keys::SigningKey;
use domain::proof::seal::{EVENT_TYPE, STREAM, Seal, Sealed};
use event_store::{AppendError, Appended, Expected, NewEvent, Position};

use super::error::AuditError;
use super::findings::{Findings, Report};
use super::seals::{Seals, read_file};
use super::walk::{Tree, Walking, walk};
use super::{heads, keygen};
use servers::log::{Log, LogArgs};

/// Options of `tenuto audit seal`.
#[derive(Debug, Args)]
pub struct SealArgs {
    /// The private key to sign with (see `tenuto audit keygen`)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Seal everything up to this position of the log [default: the end of the log]
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
    /// Also write the seal to this file, which must not exist
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write each order's last revision and hash, a line each, to this file, which must not
    /// exist: with it, `verify` names the orders that changed since the seal
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Seal although there are differences; the seal states in how many orders
    #[arg(long)]
    despite_faults: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// The result of sealing.
#[derive(Debug)]
pub enum Sealing {
    /// The seal was appended to the log.
    Sealed {
        /// The seal.
        seal: Box<Seal>,
        /// Its position in the log.
        position: Position,
        /// The file that has a copy of the seal.
        out: Option<PathBuf>,
    },
    /// There are differences, and nothing was sealed.
    Refused(Report),
}

/// Signs the state of all orders, and appends the seal to the log.
pub async fn seal(args: &SealArgs) -> Result<Sealing, AuditError> {
    let key = SigningKey::from_pem(&read_file(&args.key)?)
        .map_err(|source| AuditError::Key { file: args.key.clone(), source })?;
    // Checked before the append, so that a wrong file name does not leave a seal without its copy.
    if let Some(file) = args.out.iter().chain(&args.heads).find(|file| file.exists()) {
        return Err(AuditError::File { file: file.clone(), source: std::io::ErrorKind::AlreadyExists.into() });
    }
    let log = args.log.open().await?;
    let sealing = sealed(args, &key, &log).await;
    log.close().await;
    sealing
}

async fn sealed(args: &SealArgs, key: &SigningKey, log: &Log) -> Result<Sealing, AuditError> {
    let end = log.end().await?;
    let to = args.to.unwrap_or(end);
    let to_fault = |why: String| AuditError::To { to, why };
    if to > end {
        return Err(to_fault(format!("the log ends at position {end}")));
    }
    let mut seals = Seals::read(log, &[]).await?;
    if let Some(last) = seals.known.last().filter(|last| last.position > to) {
        return Err(to_fault(format!("seal {} covers the log up to position {} already", last.number, last.position)));
    }
    let mut findings = Findings::default();
    findings.extend(std::mem::take(&mut seals.findings));
    let mut tree = None;
    let mut stops = seals.stops(to);
    stops.push(to);
    stops.dedup();
    let walked = walk(log, to, &stops, &Progress::start(Walking::default()), |stopped| {
        findings.extend(seals.differing(&stopped));
        tree = Some(stopped);
    })
    .await?;
    findings.join(walked.findings);
    if !findings.is_empty() && !args.despite_faults {
        let looked_at = vec![format!("log: {} events of {} orders", walked.events, walked.orders.len())];
        let notes = vec!["nothing was sealed (--despite-faults seals nevertheless)".to_owned()];
        return Ok(Sealing::Refused(Report::new(looked_at, notes, findings)));
    }
    let (Some(tree), Some(identity)) = (tree, walked.log) else { return Err(AuditError::NothingToSeal(to)) };
    let Tree { position, faulty, .. } = tree;
    let sealed = Sealed { log: identity, position, orders: tree.orders(), faulty_orders: faulty, root: tree.root() };
    let seal = Seal::sign(sealed, seals.known.last(), Utc::now().trunc_subsecs(3), key);
    let appended = append(log, &seals, &seal).await?;
    if let Some(out) = &args.out {
        keygen::write_new(out, format!("{}\n", seal.to_json()).as_bytes())?;
    }
    if let Some(heads) = &args.heads {
        keygen::write_new(heads, heads::lines(&walked.orders).as_bytes())?;
    }
    Ok(Sealing::Sealed { seal: Box::new(seal), position: appended.position, out: args.out.clone() })
}

async fn append(log: &Log, seals: &Seals, seal: &Seal) -> Result<Appended, AuditError> {
    let expected = seals.recorded.checked_sub(1).map_or(Expected::NoStream, Expected::Revision);
    let event = NewEvent {
        id: seal.event_id(),
        event_type: EVENT_TYPE.to_owned(),
        data: seal.to_json().into(),
        metadata: "{}".into(),
    };
    match log.store.append(STREAM, expected, vec![event]).await {
        Ok(appended) => Ok(appended),
        Err(AppendError::WrongExpectedRevision { .. }) => Err(AuditError::SealedMeanwhile),
        Err(error) => Err(AuditError::Append(error)),
    }
}

impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seal, appended, out) = match self {
            Self::Refused(report) => return f.write_str(&report.to_text()),
            Self::Sealed { seal, position, out } => (seal, position, out),
        };
        let Seal { number, position, orders, root, public_key, .. } = &**seal;
        writeln!(f, "Seal {number} covers {orders} orders up to position {position}")?;
        writeln!(f, "  root      {root}")?;
        writeln!(f, "  key       {public_key}")?;
        writeln!(f, "  log       {STREAM}, position {appended}")?;
        match out {
            Some(out) => writeln!(f, "  outside   {}", out.display()),
            None => {
                writeln!(f, "  outside   no copy was kept (--out); a seal that is only in the log can be lost with it")
            }
        }
    }
}
