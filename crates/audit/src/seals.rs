//! The seals in the log, and the copies that were kept outside.

use std::path::{Path, PathBuf};

use domain::proof::keys::PublicKey;
use domain::proof::seal::{STREAM, Seal, SealFault};

use super::error::AuditError;
use super::findings::Finding;
use super::walk::Tree;
use servers::log::Log;

/// The largest file that is read.
const MAX_FILE: u64 = 256 << 20;

/// The seals of a log, and their faults.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// Seals that can be read and whose signatures are valid.
    pub known: Vec<Seal>,
    /// How many events the stream has.
    pub recorded: u64,
    pub findings: Vec<Finding>,
}

/// How findings name a seal of the log.
pub(super) fn name_of(seal: &Seal) -> String {
    format!("{} (position {})", seal.number, seal.position)
}

impl Seals {
    /// Reads and checks the log's seals: each signature must be valid, by one of these keys if any
    /// is given, and each seal must follow the previous one.
    pub async fn read(log: &Log, keys: &[PublicKey]) -> Result<Self, AuditError> {
        let mut seals = Self::default();
        for event in log.stream(STREAM, u64::MAX).await? {
            seals.recorded = event.revision + 1;
            match believed(&event.data, keys) {
                Ok(seal) => {
                    if let Err(fault) = seal.follows(seals.known.last()) {
                        seals.findings.push(Finding::Seal { seal: name_of(&seal), fault });
                    }
                    seals.known.push(seal);
                }
                Err(fault) => {
                    let seal = format!("at revision {} of {STREAM}", event.revision);
                    seals.findings.push(Finding::Seal { seal, fault });
                }
            }
        }
        Ok(seals)
    }

    /// Adds a seal that was kept outside. The log must have the same one.
    pub fn compare(&mut self, file: &Path, keys: &[PublicKey]) -> Result<(), AuditError> {
        let name = file.display().to_string();
        let outside = match believed(&read_file(file)?, keys) {
            Ok(seal) => seal,
            Err(fault) => {
                self.findings.push(Finding::Seal { seal: name, fault });
                return Ok(());
            }
        };
        match self.known.iter().find(|seal| seal.number == outside.number) {
            Some(inside) if *inside == outside => {}
            Some(_) => {
                let reason = format!("the log has another seal under its number, {}", outside.number);
                self.findings.push(Finding::Sealed { seal: name, reason });
                self.known.push(outside);
            }
            None => {
                let reason = format!(
                    "the log does not have this seal, number {}: it was removed, or the log was cut off before it",
                    outside.number
                );
                self.findings.push(Finding::Sealed { seal: name, reason });
                self.known.push(outside);
            }
        }
        Ok(())
    }

    /// The positions of the seals up to a position, each once.
    pub fn stops(&self, to: u64) -> Vec<u64> {
        let mut stops: Vec<u64> = self.known.iter().map(|seal| seal.position).filter(|at| *at <= to).collect();
        stops.sort_unstable();
        stops.dedup();
        stops
    }

    /// Compares the orders at a position with the seals of that position.
    pub fn differing(&self, tree: &Tree) -> Vec<Finding> {
        let at = self.known.iter().filter(|seal| seal.position == tree.position);
        let mut root = None;
        at.filter_map(|seal| {
            let found = *root.get_or_insert_with(|| tree.root());
            if found == seal.root && tree.orders() == seal.orders {
                return None;
            }
            let reason = format!(
                "the log has {} orders with the root {found} up to position {}, and {} with the root {} were sealed: \
                 since then events were changed and their hashes recomputed, or events were removed or added",
                tree.orders(),
                tree.position,
                seal.orders,
                seal.root
            );
            Some(Finding::Sealed { seal: name_of(seal), reason })
        })
        .collect()
    }

    /// The keys that seals are signed with.
    pub fn keys(&self) -> Vec<PublicKey> {
        let mut keys: Vec<PublicKey> = Vec::new();
        for seal in &self.known {
            if !keys.contains(&seal.public_key) {
                keys.push(seal.public_key);
            }
        }
        keys
    }
}

/// A seal with a valid signature, by one of these keys if any is given.
fn believed(text: &[u8], keys: &[PublicKey]) -> Result<Seal, SealFault> {
    let seal = Seal::read(text)?;
    seal.verify_key(keys)?;
    Ok(seal)
}

/// Reads a file, up to a bound.
pub(super) fn read_file(file: &Path) -> Result<Vec<u8>, AuditError> {
    let failed = |source| AuditError::File { file: file.to_owned(), source };
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(AuditError::TooLarge { file: file.to_owned(), most: MAX_FILE });
    }
    std::fs::read(file).map_err(failed)
}

/// The public keys in these files.
pub(super) fn read_keys(files: &[PathBuf]) -> Result<Vec<PublicKey>, AuditError> {
    let read = |file: &PathBuf| {
        PublicKey::from_pem(&read_file(file)?).map_err(|source| AuditError::Key { file: file.clone(), source })
    };
    files.iter().map(read).collect()
}
