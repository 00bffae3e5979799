//! A node in a separate process: this test binary, started again to run one test that serves until
//! it is killed.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use event_store_node::{Node, NodeOptions};
use tokio::io::AsyncBufReadExt;
use tokio::runtime::Handle;

const FOLDER: &str = "TENUTO_TEST_CRASH_FOLDER";
const ADDRESS: &str = "TENUTO_TEST_CRASH_ADDRESS";
const SERVES: &str = "suite::child::serves_until_killed";
/// Not a test: the child process runs this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    // Otherwise a task that panics would end alone, and its node would look healthy.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::abort();
    }));
    let address = std::env::var(ADDRESS).unwrap().parse().unwrap();
    match Node::start(NodeOptions { address, ..NodeOptions::in_folder(folder) }).await {
        Ok(node) => {
            println!("\nserving {}", node.address());
            let tasks = || Handle::current().metrics().num_alive_tasks();
            let mut questions = tokio::io::BufReader::new(tokio::io::stdin()).lines();
            while let Ok(Some(_)) = questions.next_line().await {
                println!("tasks {}", tasks());
            }
        }
        Err(refusal) => println!("\nrefused {refusal}"),
    }
}

/// It also ends when its parent process does.
pub struct NodeProcess {
    child: Child,
    address: String,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// The resources that a node uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub tasks: usize,
    /// Open files, connections included.
    pub files: usize,
    /// Resident size, in bytes.
    pub memory: u64,
}

impl NodeProcess {
    /// Starts it, or returns the node's reason for not starting.
    pub fn start(folder: &Path, address: &str) -> Result<Self, String> {
        // A write beyond the limit on the size of files must fail, and not end the process.
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture --test-threads=1"])
            .arg(std::env::current_exe().unwrap())
            .arg(SERVES)
            .env(FOLDER, folder)
            .env(ADDRESS, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = answers
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.starts_with("serving ") || line.starts_with("refused "));
        match said.as_deref().and_then(|said| said.split_once(' ')) {
            Some(("serving", address)) => Ok(Self { child, address: address.into(), questions, answers }),
            refused => {
                child.wait().unwrap();
                Err(refused.expect("the child ended without a message").1.into())
            }
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn connection_string(&self) -> String {
        format!("esdb://{}?tls=false", self.address)
    }

    pub fn usage(&mut self) -> Usage {
        self.questions.write_all(b"?\n").unwrap();
        let tasks =
            self.answers.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix("tasks ")?.parse().ok());
        let about = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{about}/status")).unwrap();
        let memory =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        Usage {
            tasks: tasks.expect("the node has ended"),
            files: std::fs::read_dir(format!("{about}/fd")).unwrap().count(),
            memory: memory.map(|kilobytes: u64| kilobytes * 1024).unwrap(),
        }
    }

    /// Bounds the size of the files that it writes, in bytes. `None`: unbounded again.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let soft = bytes.map_or_else(|| "unlimited".into(), |bytes| bytes.to_string());
        let (pid, limit) = (self.child.id().to_string(), format!("--fsize={soft}:"));
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// SIGKILL: the process has no chance to write or answer anything more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
