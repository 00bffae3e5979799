//! `tenuto audit verify --bundle`: an order's history that proves itself, as JSON or in a page.

use std::path::Path;

use domain::proof::bundle::{Bundle, BundleFault, Checked};
use domain::proof::keys::PublicKey;

use super::error::AuditError;
use super::export::html::bundle_in;
use super::findings::{Finding, Findings, Report};
use super::seals::{name_of, read_file};

pub(super) fn verify(file: &Path, keys: &[PublicKey]) -> Result<Report, AuditError> {
    let content = |reason| AuditError::Content { file: file.to_owned(), what: "bundle", reason };
    let content_of_file = read_file(file)?;
    let bundle = Bundle::read(bundle_in(&content_of_file).unwrap_or(&content_of_file)).map_err(content)?;
    let Checked { events, sealed_events, faults } = bundle.check(keys);
    if events == 0 {
        return Err(AuditError::EmptyBundle(file.to_owned()));
    }
    // With a key the question is whether it signed this bundle: without a seal there is no answer.
    // Faults are reported first.
    if bundle.sealed.is_none() && !keys.is_empty() && faults.is_empty() {
        return Err(AuditError::UnsealedBundle(file.to_owned()));
    }
    let (order, seal) = (&bundle.order, bundle.sealed.as_ref().map(|sealed| &sealed.seal));
    let name = seal.map_or_else(|| "of the bundle".to_owned(), name_of);
    let mut findings = Findings::default();
    findings.extend(faults.into_iter().map(|fault| match fault {
        BundleFault::Chain(fault) => Finding::Order { order: order.clone(), fault },
        BundleFault::Seal(fault) => Finding::Seal { seal: name.clone(), fault },
        BundleFault::Proof { reason } => Finding::Sealed { seal: name.clone(), reason },
    }));
    let mut looked_at = vec![format!("bundle: {events} events of order {order}")];
    let mut notes = Vec::new();
    match seal {
        Some(seal) if sealed_events > 0 => {
            looked_at.push(format!(
                "seal: number {} of {}, over {} orders up to position {}, covers revisions 0 to {}",
                seal.number,
                seal.at.format("%F %T UTC"),
                seal.orders,
                seal.position,
                sealed_events - 1
            ));
            if events > sealed_events {
                notes.push(format!(
                    "end: later revisions, up to {}, are chained to those, but no seal covers them: whether events after them were cut off is not known",
                    events - 1
                ));
            }
            if keys.is_empty() {
                notes.push(format!(
                    "key: none was given (--public-key), so this shows only that the bundle is intact under the key that is in it: {}",
                    seal.public_key
                ));
            }
        }
        Some(_) => {}
        None => notes.push(
            "seal: none covers this order, so this shows only that the hashes of its events fit together; anyone can have written them".to_owned(),
        ),
    }
    Ok(Report::new(looked_at, notes, findings))
}
