//! What the disk can do without the node.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(3);
/// Bytes between two syncs: about the size of one event in a journal.
const PIECE: usize = 1024;

/// How often per second a piece can be added to a file and synced.
pub fn syncs_per_second(folder: &Path) -> f64 {
    let mut file = tempfile::tempfile_in(folder).unwrap();
    let (began, mut syncs) = (Instant::now(), 0_u32);
    while began.elapsed() < TIME {
        file.write_all(&[7; PIECE]).unwrap();
        file.sync_data().unwrap();
        syncs += 1;
    }
    f64::from(syncs) / began.elapsed().as_secs_f64()
}
