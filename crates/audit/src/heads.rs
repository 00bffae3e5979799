//! The leaves of a seal's tree, kept outside of the log. With this list, the orders that changed
//! since the seal can be named.
//!
//! Each line is an order, sorted by the bytes of the ids: id, revision of its last event, hash of
//! that event. The root of the lines' tree shows which seal they belong to.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use domain::ids::OrderId;
use domain::proof::chain::{Flaw, Head};
use domain::proof::{Hash, merkle};
use event_store::ReadError;

use super::error::AuditError;
use super::findings::Finding;
use super::histories::faults;
use super::seals::{Seals, read_file};
use super::walk::{Standing, Tree};
use servers::log::Log;

/// The last revision and hash of all orders at a seal.
pub(super) struct SealedHeads {
    /// The position of the seal.
    position: u64,
    heads: Vec<(OrderId, Head)>,
}

/// An order that changed since the seal.
pub(super) struct Suspect {
    order: OrderId,
    /// Its head in the seal.
    head: Option<Head>,
    position: u64,
}

/// The lines of the list.
pub(super) fn lines(orders: &[(OrderId, Standing)]) -> String {
    orders.iter().fold(String::new(), |mut text, (order, Standing { head, .. })| {
        let hash = head.hash.map_or_else(|| "-".to_owned(), |hash| hash.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{order} {} {hash}", head.revision);
        text
    })
}

impl SealedHeads {
    /// Reads the lines, and finds their seal.
    pub fn read(file: &Path, seals: &Seals) -> Result<Self, AuditError> {
        let wrong =
            |reason: String| AuditError::Content { file: file.to_owned(), what: "list of sealed orders", reason };
        let text = String::from_utf8(read_file(file)?).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
        let mut heads = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            heads.push(head_in(text).ok_or_else(|| wrong(format!("line {line} is not id, revision and hash")))?);
        }
        let root = merkle::root(&leaves(&heads));
        let seal = seals.known.iter().find(|seal| seal.root == root);
        let seal = seal
            .ok_or_else(|| wrong("no seal, in the log or given with --seal, has the root of these lines".to_owned()))?;
        Ok(Self { position: seal.position, heads })
    }

    /// The position at which to compare it with a log that ends at `end`.
    pub fn stop(&self, end: u64) -> u64 {
        self.position.min(end)
    }

    /// The orders that differ in the log.
    pub fn suspects(&self, tree: &Tree) -> Vec<Suspect> {
        let suspect = |order: &OrderId, head| Suspect { order: order.clone(), head, position: tree.position };
        let differing = self.heads.iter().filter(|(order, head)| tree.leaf(order) != Some(merkle::leaf(order, head)));
        let known = |order: &OrderId| self.heads.binary_search_by(|(id, _)| id.cmp(order)).is_ok();
        let added = tree.ids().filter(|order| !known(order));
        differing
            .map(|(order, head)| suspect(order, Some(*head)))
            .chain(added.map(|order| suspect(order, None)))
            .collect()
    }
}

impl Suspect {
    /// Names the differences of each order that changed since the seal.
    pub async fn named(self, log: &Log) -> Result<Vec<Finding>, AuditError> {
        let Self { order, head, position } = self;
        let stream = order.stream();
        let Some(head) = head else {
            let reason = format!("the order did not exist when the log was sealed up to position {position}");
            return Ok(vec![Finding::Stream { stream, reason }]);
        };
        let events = match log.stream(&order.stream(), position).await {
            Ok(events) => events,
            Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
            Err(error) => return Ok(vec![Finding::Stream { stream, reason: error.to_string() }]),
        };
        let faults = faults(&order, &events, Some(&head));
        // Every other difference is found without the seal.
        let faults = faults.into_iter().filter(|fault| matches!(fault.flaw, Flaw::Cut { .. } | Flaw::Rewritten { .. }));
        Ok(faults.map(|fault| Finding::Order { order: order.clone(), fault }).collect())
    }
}

/// Reads all given lists.
pub(super) fn read_all(files: &[PathBuf], seals: &Seals) -> Result<Vec<SealedHeads>, AuditError> {
    files.iter().map(|file| SealedHeads::read(file, seals)).collect()
}

fn head_in(line: &str) -> Option<(OrderId, Head)> {
    let [order, revision, hash] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let hash = if hash == "-" { None } else { Some(hash.parse().ok()?) };
    Some((OrderId::new(order).ok()?, Head { revision: revision.parse().ok()?, hash }))
}

fn leaves(heads: &[(OrderId, Head)]) -> Vec<Hash> {
    heads.iter().map(|(order, head)| merkle::leaf(order, head)).collect()
}
