//! How well the embedded node uses its machine: `cargo bench -p event-store-node`.
//!
//! The figures are ratios of two measurements of the same run: of appends to the syncs of the same
//! disk, of a read over the network to a read by the engine alone. The node runs in a separate
//! process, so that its memory can be distinguished from the clients'. `TENUTO_BENCH_EVENTS` sets
//! the length of the log of the second half (default: 10 million events of 500 bytes, about 7 GB on
//! disk and a few minutes). `TENUTO_BENCH_FOLDER` sets where everything is written (default: the
//! system's folder for temporary files, which should be on a disk).

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(
    clippy::cast_precision_loss,
    reason = "no count here comes near the 2^53 from which on a float leaves some out"
)]

mod appends;
mod disk;
mod history;
mod node_process;
mod store;

use std::path::PathBuf;

fn main() {
    if node_process::serve_if_asked() {
        return;
    }
    // `cargo bench` passes `--bench`. A run that only lists or tests the targets measures nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let base = std::env::var_os("TENUTO_BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let events = std::env::var("TENUTO_BENCH_EVENTS").map_or(10_000_000, |count| count.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        appends::measure(&base).await;
        history::measure(&base, events).await;
    });
}
