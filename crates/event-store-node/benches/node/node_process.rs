//! The node in a separate process: this program, started again.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use event_store_node::{Node, NodeOptions};

const FOLDER: &str = "TENUTO_BENCH_NODE_FOLDER";

/// If this process was started as the node, serves until its standard input ends.
pub fn serve_if_asked() -> bool {
    let Some(folder) = std::env::var_os(FOLDER) else { return false };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let node = Node::start(NodeOptions::in_folder(folder)).await.unwrap();
        println!("{}", node.connection_string());
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        node.shutdown().await;
    });
    true
}

pub struct NodeProcess {
    child: Child,
    pub connection_string: String,
    /// The time from the start of the process until it serves.
    pub start_up: Duration,
}

impl NodeProcess {
    pub fn start(folder: &Path) -> Self {
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut connection_string = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut connection_string).unwrap();
        assert!(!connection_string.is_empty(), "the node did not start");
        Self { child, connection_string: connection_string.trim().into(), start_up: began.elapsed() }
    }

    /// The largest resident size, in MiB.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") >> 10
    }

    /// The current resident size, in MiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:") >> 10
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Lets the node close its log.
    pub fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}
