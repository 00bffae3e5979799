//! Compares the committed messages with `proto/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The messages of OTLP's traces.
const FILES: [&str; 4] =
    ["collector/trace/v1/trace_service", "common/v1/common", "resource/v1/resource", "trace/v1/trace"];

/// The source files in a folder, by name.
fn sources(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let source =
        |path: &Path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap());
    files.map(|path| source(&path)).collect()
}

/// `protox` is written in Rust, so that no `protoc` needs to be installed.
fn generate(proto: &Path, into: &Path) {
    let files = FILES.map(|file| format!("opentelemetry/proto/{file}.proto"));
    let described = protox::compile(files, [proto]).unwrap();
    let builder = tonic_build::configure().build_client(false).build_server(false).out_dir(into);
    builder.compile_fds(described).unwrap();
}

/// `UPDATE_GOLDEN=1 cargo test --workspace --test generated` writes the files again.
#[test]
fn the_committed_messages_are_what_the_protocol_of_traces_says() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (proto, committed) = (home.join("proto"), home.join("src/generated"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        generate(&proto, &committed);
    }
    let fresh = tempfile::tempdir().unwrap();
    generate(&proto, fresh.path());
    let (expected, found) = (sources(fresh.path()), sources(&committed));
    assert_eq!(expected.len(), FILES.len(), "{:?}", expected.keys());
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (name, text) in expected {
        assert!(found[&name] == text, "src/generated/{name} differs from proto/: run the test with UPDATE_GOLDEN=1");
    }
}
