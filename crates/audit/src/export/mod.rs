//! `tenuto audit export`: an order's history, for people without access to the log.

mod csv;
mod entry;
pub(crate) mod html;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use command_line::progress::Progress;
use domain::ids::OrderId;
use domain::proof::bundle::{self, Bundle, BundledEvent, SealedPart};
use event_store::RecordedEvent;

use super::error::AuditError;
use super::findings::Finding;
use super::histories::faults;
use super::order_id;
use super::seals::Seals;
use super::walk::{Walking, walk};
use entry::Entry;
use servers::log::{Log, LogArgs};

/// Options of `tenuto audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The order's id
    #[arg(value_parser = order_id)]
    order: OrderId,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Bundle)]
    format: Format,
    /// Write to this file, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

impl ExportArgs {
    /// The id of the order.
    pub(crate) fn order_id(&self) -> &str {
        self.order.as_str()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Events, chain, and the proof that the newest seal covers them, as JSON: `tenuto audit verify
    /// --bundle` checks it
    Bundle,
    /// A table for spreadsheets (RFC 4180)
    Csv,
    /// One JSON object a line
    Jsonl,
    /// A page to read or to print, which holds the bundle and verifies it in a browser, offline
    Html,
}

/// An order's exported history.
#[derive(Debug)]
pub struct Exported {
    /// The history, in the requested format.
    pub text: String,
    /// The differences in it.
    pub findings: Vec<Finding>,
}

/// Exports an order's history.
pub async fn export(args: &ExportArgs) -> Result<Exported, AuditError> {
    let log = args.log.open().await?;
    let exported = exported(&log, &args.order, args.format, &Progress::start(Walking::default())).await;
    log.close().await;
    exported
}

/// Exports an order's history from an open log.
pub(super) async fn exported(
    log: &Log,
    order: &OrderId,
    format: Format,
    progress: &Progress<Walking>,
) -> Result<Exported, AuditError> {
    let events = log.stream(&order.stream(), log.end().await?).await?;
    if events.is_empty() {
        return Err(AuditError::NoSuchOrder(order.to_string()));
    }
    let faults = faults(order, &events, None);
    let mut findings: Vec<Finding> =
        faults.into_iter().map(|fault| Finding::Order { order: order.clone(), fault }).collect();
    let entries = || Entry::of_all(&events);
    let text = match format {
        Format::Bundle => {
            let (bundle, more) = bundled(log, order, &events, progress).await?;
            findings.extend(more);
            in_json(serde_json::to_string_pretty(&bundle))?
        }
        Format::Csv => csv::table(&entries())?,
        Format::Jsonl => {
            entries().iter().map(|entry| in_json(serde_json::to_string(entry))).collect::<Result<_, _>>()?
        }
        Format::Html => {
            let (bundle, more) = bundled(log, order, &events, progress).await?;
            findings.extend(more);
            html::page(order, &events, &findings, &in_json(serde_json::to_string(&bundle))?)
        }
    };
    Ok(Exported { text, findings })
}

fn in_json(text: Result<String, serde_json::Error>) -> Result<String, AuditError> {
    text.map(|text| text + "\n").map_err(|error| AuditError::Broken(error.to_string()))
}

/// The order with its proof, and the differences in what the seal covers.
async fn bundled(
    log: &Log,
    order: &OrderId,
    events: &[RecordedEvent],
    progress: &Progress<Walking>,
) -> Result<(Bundle, Vec<Finding>), AuditError> {
    let mut findings = Vec::new();
    let mut seals = Seals::read(log, &[]).await?;
    let first = events.first().map_or(0, |event| event.position.commit);
    seals.known.retain(|seal| seal.position >= first);
    let mut sealed = None;
    if let Some(seal) = seals.known.pop() {
        let position = seal.position;
        seals.known = vec![seal.clone()];
        let mut inclusion = None;
        walk(log, position, &[position], progress, |tree| {
            findings.extend(seals.differing(&tree));
            inclusion = tree.prove(order);
        })
        .await?;
        let covered = events.iter().rfind(|event| event.position.commit <= position);
        sealed =
            inclusion.zip(covered).map(|(inclusion, last)| SealedPart { revision: last.revision, inclusion, seal });
    }
    let events = events.iter().map(bundled_event).collect();
    let bundle =
        Bundle { kind: bundle::Kind::OrderBundle, version: bundle::VERSION, order: order.clone(), events, sealed };
    Ok((bundle, findings))
}

fn bundled_event(event: &RecordedEvent) -> BundledEvent {
    BundledEvent {
        revision: event.revision,
        position: event.position.commit,
        recorded_at: event.created,
        id: event.id,
        event_type: event.event_type.clone(),
        data: event.data.as_ref().into(),
        metadata: event.metadata.as_ref().into(),
    }
}
