//! Where binaries and folders are, or are missing.

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf, time::Instant};

use postgres_cluster::{Belongings, Cluster, Error, Options, Search};
use tempfile::TempDir;

use crate::{entries, execute, fleeting, is_root, number, reachable_folder};

#[tokio::test]
async fn without_a_server_the_error_names_the_install_command() {
    let folder = reachable_folder();
    let nothing = folder.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let search = Search { path: Some(nothing.into()), ..Search::default() };
    let begun = Instant::now();
    let refused = Cluster::start(Options { search, ..fleeting(folder.path().join("postgres")) }).await.unwrap_err();
    assert!(matches!(refused, Error::NoBinaries { .. }), "{refused:?}");
    let message = refused.to_string();
    assert!(message.contains("install"), "{message}");
    assert!(message.contains("nothing"), "it names the places that were looked at: {message}");
    assert!(begun.elapsed().as_secs() < 60, "it waits for a server that cannot be there");
}

#[tokio::test]
async fn a_pg_bin_without_a_server_is_named_in_the_error() {
    let folder = reachable_folder();
    let search = Search { pg_bin: Some(folder.path().to_path_buf()), ..Search::from_environment() };
    let refused = Cluster::start(Options { search, ..fleeting(folder.path().join("postgres")) }).await.unwrap_err();
    let message = refused.to_string();
    assert!(matches!(refused, Error::UnusablePgBin { .. }), "{refused:?}");
    assert!(message.contains(folder.path().to_str().unwrap()) && message.contains("install"), "{message}");
}

#[tokio::test]
async fn data_of_a_missing_version_stay_untouched_and_the_error_names_the_version() {
    let folder = reachable_folder();
    let options = fleeting(folder.path().join("postgres"));
    let data = options.folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let search = Search { download: None, ..Search::from_environment() };
    let refused = Cluster::start(Options { search, ..options }).await.unwrap_err();
    assert!(matches!(refused, Error::WrongVersion { .. }), "{refused:?}");
    assert!(refused.to_string().contains("written by PostgreSQL 9"), "{refused}");
    assert_eq!(entries(&data), ["PG_VERSION"]);
}

/// The path is also too long for a socket's address, and full of characters that split entries of
/// configuration files.
#[tokio::test]
async fn an_interrupted_initdb_is_repeated() {
    let folder = reachable_folder();
    let home = folder.path().join(format!("a, b \"c\" 'd' {}", "long".repeat(30)));
    let half = home.join("initialising-1");
    std::fs::create_dir_all(half.join("base")).unwrap();
    std::fs::write(half.join("PG_VERSION"), "15\n").unwrap();

    let cluster = Cluster::start(fleeting(&home)).await.unwrap();
    assert_eq!(number(&cluster, "postgres", "SELECT 1::bigint").await, 1);
    assert!(!half.exists());
    cluster.stop().await;
}

/// A folder that is private to root, like a clone under `/root`.
fn private_folder() -> TempDir {
    let folder = reachable_folder();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    folder
}

#[tokio::test]
async fn a_folder_out_of_the_servers_reach_gets_another_place_and_a_note() {
    if !is_root() {
        // Other users can reach their own folders.
        return;
    }
    let private = private_folder();
    let folder = private.path().join("postgres");

    let cluster = Cluster::start(fleeting(&folder)).await.unwrap();
    let place = PathBuf::from(std::fs::read_to_string(folder.join("MOVED")).unwrap());
    assert_eq!(cluster.data_folder(), place.join("data"));
    assert!(!place.starts_with(private.path()));
    execute(&cluster, "postgres", "CREATE TABLE t AS SELECT 7::bigint AS n").await;
    cluster.stop().await;

    let cluster = Cluster::start(fleeting(&folder)).await.unwrap();
    assert_eq!(number(&cluster, "postgres", "SELECT n FROM t").await, 7);

    let belongings = Belongings::of(&folder).unwrap().unwrap();
    assert_eq!(belongings, Belongings { folder: folder.clone(), elsewhere: Some(place.clone()) });
    assert!(matches!(belongings.clone().claim(), Err(Error::InUse { .. })));
    cluster.stop().await;
    belongings.claim().unwrap().remove().await.unwrap();
    assert!(!place.exists() && !folder.exists());
}

#[tokio::test]
async fn a_cluster_whose_folder_was_deleted_is_found_and_can_be_removed() {
    if !is_root() {
        return;
    }
    let private = private_folder();
    let folder = private.path().join("postgres");
    let orphan = || Belongings::orphans().unwrap().into_iter().find(|orphan| orphan.folder == folder);
    Cluster::start(fleeting(&folder)).await.unwrap().stop().await;
    assert_eq!(orphan(), None);
    let place = Belongings::of(&folder).unwrap().unwrap().elsewhere.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    // Another cluster in the same folder is distinguished.
    Cluster::start(fleeting(&folder)).await.unwrap().stop().await;
    let found = orphan().unwrap();
    assert_eq!(found.elsewhere, Some(place.clone()));
    found.claim().unwrap().remove().await.unwrap();
    assert!(!place.exists() && orphan().is_none());
    let other = Belongings::of(&folder).unwrap().unwrap();
    assert!(other.elsewhere.as_ref().unwrap().exists());
    other.claim().unwrap().remove().await.unwrap();
}

#[tokio::test]
async fn a_note_that_names_a_foreign_folder_removes_nothing() {
    let (folder, other) = (reachable_folder(), reachable_folder());
    std::fs::write(folder.path().join("MOVED"), other.path().to_str().unwrap()).unwrap();
    let belongings = Belongings::of(folder.path()).unwrap().unwrap();
    assert_eq!(belongings.elsewhere, None);
    belongings.claim().unwrap().remove().await.unwrap();
    assert!(other.path().exists() && !folder.path().exists());
}
