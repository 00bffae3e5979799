//! A node in a process of its own: this test binary, started again to run one test that serves until it is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use event_store::node::{Node, NodeOptions};

const FOLDER: &str = "TENUTO_TEST_CRASH_FOLDER";
const ADDRESS: &str = "TENUTO_TEST_CRASH_ADDRESS";
const SERVES: &str = "suite::child::serves_until_killed";
/// Not a test by itself: what the child process runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let address = std::env::var(ADDRESS).unwrap().parse().unwrap();
    match Node::start(NodeOptions { address, ..NodeOptions::in_folder(folder) }).await {
        Ok(node) => {
            println!("\nserving {}", node.address());
            std::future::pending::<()>().await;
        }
        Err(refusal) => println!("\nrefused {refusal}"),
    }
}

pub struct NodeProcess {
    child: Child,
    address: String,
}

impl NodeProcess {
    /// Starts it, or gives its reason for not starting.
    pub fn start(folder: &Path, address: &str) -> Result<Self, String> {
        // A write past the limit of a file's size is to fail, and not to end the process.
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture --test-threads=1"])
            .arg(std::env::current_exe().unwrap())
            .arg(SERVES)
            .env(FOLDER, folder)
            .env(ADDRESS, address)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = lines.find(|line| line.starts_with("serving ") || line.starts_with("refused "));
        match said.as_deref().and_then(|said| said.split_once(' ')) {
            Some(("serving", address)) => Ok(Self { child, address: address.into() }),
            refused => {
                child.wait().unwrap();
                Err(refused.expect("the child ended without a word").1.into())
            }
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn connection_string(&self) -> String {
        format!("esdb://{}?tls=false", self.address)
    }

    /// Bounds the size of the files that it writes, in bytes, or no longer.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let soft = bytes.map_or_else(|| "unlimited".into(), |bytes| bytes.to_string());
        let (pid, limit) = (self.child.id().to_string(), format!("--fsize={soft}:"));
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// SIGKILL: nothing in the process gets to say anything more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
