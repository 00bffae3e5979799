//! The workflows that ship with the product, and those of a folder.

use std::path::Path;

/// The workflow files of this version of Tenuto.
pub(crate) const SHIPPED: [&str; 3] = [
    include_str!("../workflows/order-fulfilment.yaml"),
    include_str!("../workflows/order-fulfilment-without-backorder.yaml"),
    include_str!("../workflows/order-parallel.yaml"),
];

/// The origin of the shipped files.
pub(crate) const SHIPPED_FROM: &str = "shipped";

/// A folder of workflow files could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub(crate) struct ReadFolderError {
    path: String,
    source: std::io::Error,
}

/// The shipped files, then the `*.yaml` files of a folder in the order of their names, each with
/// its origin.
pub(crate) fn all(folder: Option<&Path>) -> Result<Vec<(String, String)>, ReadFolderError> {
    let mut files: Vec<_> = SHIPPED.iter().map(|text| (SHIPPED_FROM.to_owned(), (*text).to_owned())).collect();
    let Some(folder) = folder else { return Ok(files) };
    let failed = |path: &Path| {
        let path = path.display().to_string();
        |source| ReadFolderError { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        files.push((path.display().to_string(), text));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use domain::workflow::Workflow;
    use sha2::{Digest, Sha256};

    use super::*;

    /// The text of each version, which never changes: logs hold these texts, and refuse another
    /// text under the same name and version. A changed file needs a new version, and a new line
    /// here.
    const TEXTS: [(&str, u32, &str); 3] = [
        ("order-fulfilment", 1, "c2ab8216660b0ed5805804e635aefb3de8fb853c644213393c275d20386d58c2"),
        ("order-fulfilment-without-backorder", 1, "ea65f16d02daf11ae69feb457439d1f41cadc2a1de0896f392dd254837df0fb5"),
        ("order-parallel", 1, "2bb33ce6a201a7e8c5bfc4e9e1ed29203005ca118811dec82a68187998380938"),
    ];

    #[test]
    fn a_shipped_text_never_changes_under_its_version() {
        let shipped = SHIPPED.map(|text| {
            let workflow = Workflow::parse(text).unwrap_or_else(|faults| panic!("{faults}"));
            (workflow.name, workflow.version, format!("{:x}", Sha256::digest(text)))
        });
        assert_eq!(shipped.each_ref().map(|(name, version, digest)| (name.as_str(), *version, digest.as_str())), TEXTS);
    }
}
