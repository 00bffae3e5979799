//! One process of many, over its lives: killed, stopped, asked to leave, started again.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::Mutex;
use tokio::task::block_in_place;

use crate::process::{Address, LIMIT, Process};

/// How long a probe waits for an instance that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A role as a process, over several lives.
pub struct Instance {
    pub name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The text in front of its address when it announces that it is up.
    announces: &'static str,
    address: Option<Address>,
    /// What probes it.
    http: reqwest::Client,
    /// How it is reached: `http` or `https`.
    scheme: &'static str,
    process: Mutex<Option<Process>>,
}

impl Instance {
    pub fn new(name: &str, arguments: &[&str], announces: &'static str) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self {
            name: name.to_owned(),
            arguments,
            environment: Vec::new(),
            announces,
            address: None,
            http: reqwest::Client::new(),
            scheme: "http",
            process: Mutex::default(),
        }
    }

    /// Makes it listen there, in every life.
    pub fn at(mut self, address: Address) -> Self {
        self.arguments.extend(["--listen".to_owned(), address.as_str().to_owned()]);
        self.address = Some(address);
        self
    }

    /// Adds these settings.
    pub fn with(mut self, settings: &[(&str, &str)]) -> Self {
        self.environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// Makes it be reached with TLS, by this client.
    pub fn over_tls(mut self, http: &reqwest::Client) -> Self {
        (self.http, self.scheme) = (http.clone(), "https");
        self
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address.as_ref().unwrap().as_str())
    }

    /// Starts it, and returns the rest of its announcement. If it ends by itself because something
    /// that it needs is missing, it is started again, as a supervisor would.
    pub async fn start(&self) -> String {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        loop {
            let process = Process::start(&arguments, &environment);
            let reported = block_in_place(|| process.line_after_unless_ended(self.announces));
            if let Some(reported) = reported {
                *self.process.lock().await = Some(process);
                return reported;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `kill -9`.
    pub async fn kill(&self) {
        if let Some(mut process) = self.process.lock().await.take() {
            process.kill();
        }
    }

    pub async fn signal(&self, signal: Signal) {
        self.process.lock().await.as_ref().unwrap().signal(signal);
    }

    /// Tells it to leave, and waits until it has left.
    pub async fn leaves(&self) -> ExitStatus {
        let process = self.process.lock().await.take().unwrap();
        block_in_place(|| process.stop())
    }

    pub async fn runs(&self) -> bool {
        self.process.lock().await.as_mut().is_some_and(Process::runs)
    }

    /// Whether `/readyz` reports it as ready.
    pub async fn is_ready(&self) -> bool {
        let asked = self.http.get(format!("{}/readyz", self.url())).timeout(PATIENCE).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }
}

/// Waits until one of these is ready.
pub async fn one_is_ready(instances: &[Instance]) {
    // `until` cannot be used: the waiting tasks may move between threads, and its conditions may
    // not.
    let begun = Instant::now();
    loop {
        for instance in instances {
            if instance.is_ready().await {
                return;
            }
        }
        assert!(begun.elapsed() < LIMIT, "waited in vain for {}", instances[0].name);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
