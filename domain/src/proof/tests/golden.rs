use std::path::PathBuf;

use super::bundles::bundle;
use super::*;
use crate::proof::bundle::Bundle;

/// Exported seals and bundles stay valid: a golden file for each version, kept for ever.
/// `UPDATE_GOLDEN=1` writes missing files.
fn golden(name: &str, written: &str) -> Vec<u8> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/proof").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !file.exists() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, written).unwrap();
    }
    std::fs::read(file).unwrap()
}

#[test]
fn seals_and_bundles_of_every_version_are_read_and_hold() {
    let bundle = bundle();
    let seal = &bundle.sealed.as_ref().unwrap().seal;
    let text = golden("seal.v1.json", &seal.to_json());
    assert_eq!(Seal::read(&text).as_ref(), Ok(seal));
    assert_eq!(String::from_utf8(text).unwrap(), seal.to_json());

    let text = golden("bundle.v1.json", &format!("{:#}\n", serde_json::to_value(&bundle).unwrap()));
    let read = Bundle::read(&text).unwrap();
    assert_eq!(read, bundle);
    let checked = read.check(&[key(1).public_key()]);
    assert_eq!((checked.sealed_events, checked.faults), (4, vec![]));
}
