//! Packs the built files of the console: the binary has each once, as most clients get it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const BUILT: &str = "../console/dist";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed={BUILT}");
    let out = std::env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    pack(Path::new(BUILT), Path::new(&out))
}

/// Packs each file of a folder, under its name with `.gz`.
fn pack(folder: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(folder)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() {
            pack(&path, &to.join(name))?;
            continue;
        }
        let mut packed = to.join(name).into_os_string();
        packed.push(".gz");
        let mut encoder = GzEncoder::new(File::create(packed)?, Compression::best());
        encoder.write_all(&fs::read(&path)?)?;
        encoder.finish()?;
    }
    Ok(())
}
