//! Compiles the protocol and the storage format. `protox` is written in Rust, so that no `protoc` needs to be installed.

use std::error::Error;

const PROTOCOL: [&str; 9] = [
    "shared",
    "status",
    "streams",
    "persistent",
    "server_features",
    "gossip",
    "monitoring",
    "operations",
    "projections",
];
const STORAGE: [&str; 1] = ["storage"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    compile(&PROTOCOL)?;
    compile(&STORAGE)
}

fn compile(names: &[&str]) -> Result<(), Box<dyn Error>> {
    let files = protox::compile(names.iter().map(|name| format!("{name}.proto")), ["proto"])?;
    let mut config = tonic_build::Config::new();
    // The details of a refusal are packed with the names of their types.
    config.enable_type_names().type_name_domain(["."], "type.googleapis.com");
    Ok(tonic_build::configure().build_client(false).bytes(["."]).compile_fds_with_config(config, files)?)
}
