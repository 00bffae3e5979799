//! What the embedded node does with the machine that it runs on: `cargo bench -p event-store`.
//!
//! The figures are ratios of two measurements of the same run: of appends to what the same disk syncs, of a read over the
//! wire to what the engine alone reads. The node runs in a process of its own, so that its memory can be told from the
//! clients'. `TENUTO_BENCH_EVENTS` says how long the log of the second half is (default: 10 million events of 500 bytes,
//! some 7 GB on disk and a few minutes); `TENUTO_BENCH_FOLDER` where everything is written (default: the system's folder
//! for temporary files, which had better be a disk).

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
