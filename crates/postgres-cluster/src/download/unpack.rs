//! Unpacks an archive of binaries.

use std::{
    fs::{File, Permissions},
    io::{self, Error, ErrorKind},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde::Deserialize;
use tar::{Archive, Entry};

/// The folder of the server's files in the archive.
const FILES: &str = "package/native";
/// The list of symbolic links, which a package of npm cannot have.
const LINKS: &str = "pg-symlinks.json";

/// A symbolic link; both paths begin with `native/`.
#[derive(Deserialize)]
struct Link {
    /// The existing file.
    source: PathBuf,
    /// The link.
    target: PathBuf,
}

/// Unpacks the server's files into a new folder, which other users may read.
pub(super) fn unpack(archive: &Path, folder: &Path) -> io::Result<()> {
    let mut archive = Archive::new(GzDecoder::new(File::open(archive)?));
    std::fs::create_dir(folder)?;
    for entry in archive.entries()? {
        unpack_entry(entry?, folder)?;
    }
    let list = folder.join(LINKS);
    if list.is_file() {
        for Link { source, target } in serde_json::from_slice::<Vec<Link>>(&std::fs::read(&list)?)? {
            link(folder, &source, &target)?;
        }
        std::fs::remove_file(list)?;
    }
    open_all_to_all(folder)
}

/// Files alone: the folders follow from them, and other kinds have no place here.
fn unpack_entry<R: io::Read>(mut entry: Entry<'_, R>, folder: &Path) -> io::Result<()> {
    let path = entry.path()?.into_owned();
    let Ok(inner) = path.strip_prefix(FILES) else { return Ok(()) };
    if !entry.header().entry_type().is_file() {
        return Ok(());
    }
    let place = folder.join(plain(inner)?);
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    entry.unpack(place)?;
    Ok(())
}

/// A link by a relative path, so that the folder can be moved.
fn link(folder: &Path, source: &Path, target: &Path) -> io::Result<()> {
    let (source, target) = (native(source)?, native(target)?);
    let up = target.components().skip(1).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(source.components()).collect();
    let link = folder.join(target);
    if let Some(parent) = link.parent() {
        std::fs::create_dir_all(parent)?;
    }
    symlink(relative, link)
}

fn native(path: &Path) -> io::Result<&Path> {
    path.strip_prefix("native").map_err(|_| outside(path)).and_then(plain)
}

/// A path that stays in its folder.
fn plain(path: &Path) -> io::Result<&Path> {
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if stays { Ok(path) } else { Err(outside(path)) }
}

fn outside(path: &Path) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the archive names {}, outside of its folder", path.display()))
}

/// Lets other users read a folder with all that is in it, and run its programs.
fn open_all_to_all(path: &Path) -> io::Result<()> {
    if path.is_symlink() {
        return Ok(());
    }
    open_to_all(path)?;
    if path.is_dir() {
        for entry in path.read_dir()? {
            open_all_to_all(&entry?.path())?;
        }
    }
    Ok(())
}

/// Gives other users the rights to read and to enter or run that the owner has.
pub(super) fn open_to_all(path: &Path) -> io::Result<()> {
    let mode = path.metadata()?.permissions().mode();
    let owners = mode & 0o500;
    std::fs::set_permissions(path, Permissions::from_mode(mode | owners >> 3 | owners >> 6))
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use tar::{Builder, Header};
    use tempfile::TempDir;

    use super::*;

    /// An archive with these files, unpacked.
    fn unpacked(files: &[(&str, u32, &str)]) -> (TempDir, io::Result<()>) {
        let place = tempfile::tempdir().unwrap();
        let archive = place.path().join("archive.tgz");
        let mut builder = Builder::new(GzEncoder::new(File::create(&archive).unwrap(), Compression::fast()));
        for (path, mode, text) in files {
            let mut header = Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_mode(*mode);
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
        let result = unpack(&archive, &place.path().join("unpacked"));
        (place, result)
    }

    #[test]
    fn another_user_reads_and_runs_what_was_unpacked_and_writes_nothing() {
        let links = r#"[{"source": "native/lib/libpq.so.5.17", "target": "native/lib/libpq.so.5"}]"#;
        let (place, result) = unpacked(&[
            ("package/package.json", 0o644, "{}"),
            ("package/native/bin/postgres", 0o700, "program"),
            ("package/native/lib/libpq.so.5.17", 0o600, "library"),
            ("package/native/pg-symlinks.json", 0o644, links),
        ]);
        result.unwrap();
        let folder = place.path().join("unpacked");
        let mode = |path: &str| folder.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!([mode("bin"), mode("bin/postgres"), mode("lib/libpq.so.5.17")], [0o755, 0o755, 0o644]);
        assert_eq!(std::fs::read_to_string(folder.join("lib/libpq.so.5")).unwrap(), "library");
        assert!(!folder.join(LINKS).exists() && !folder.join("package.json").exists());
    }

    #[test]
    fn an_archive_writes_nothing_outside_of_its_folder() {
        let (place, result) = unpacked(&[("package/native/bin/../../../evil", 0o644, "evil")]);
        assert!(result.unwrap_err().to_string().contains("outside of its folder"));
        for (source, target) in [("native/a", "native/../../evil"), ("native/../../a", "native/b"), ("/a", "native/b")]
        {
            let links = format!(r#"[{{"source": "{source}", "target": "{target}"}}]"#);
            let (_, result) = unpacked(&[("package/native/pg-symlinks.json", 0o644, &links)]);
            assert!(result.unwrap_err().to_string().contains("outside of its folder"), "{source} {target}");
        }
        assert!(!place.path().join("evil").exists());
    }
}
