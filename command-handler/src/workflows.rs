//! Definitions in the log: one stream for each name, one event for each version. A registered
//! version never changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use domain::order::WorkflowRef;
use domain::wire::{WORKFLOW_STREAM_PREFIX, WireError, WorkflowRegistered, decode_workflow};
use domain::workflow::{Faults, Workflow};
use event_store::{AppendError, Expected, NewEvent, Position, ReadError};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::lock::lock;
use crate::log::Log;

/// How long a name's newest version is used without another read. Another instance may have
/// registered a newer one.
const FRESH: Duration = Duration::from_secs(1);
const PAGE: usize = 100;

/// The registered definitions.
#[derive(Debug, Clone)]
pub struct Workflows<L, C> {
    log: L,
    clock: C,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    versions: BTreeMap<u32, Version>,
    /// The revision to read on from.
    next: u64,
    read_at: Option<Instant>,
}

/// The text of a definition. It is parsed on the first use. If this build finds faults in it, only
/// the orders that follow it fail.
#[derive(Debug, Clone)]
struct Version {
    source: Arc<str>,
    /// Of its registration.
    position: Position,
    workflow: Arc<OnceLock<Result<Arc<Workflow>, Faults>>>,
}

impl Version {
    fn new(source: String, position: Position) -> Self {
        Self { source: source.into(), position, workflow: Arc::default() }
    }

    fn workflow(&self, name: &str) -> Result<Arc<Workflow>, LookupError> {
        let faulty = |faults: &Faults| LookupError::Faulty { name: name.to_owned(), faults: faults.clone() };
        let workflow = self.workflow.get_or_init(|| Workflow::registered(&self.source).map(Arc::new));
        workflow.as_ref().map(Arc::clone).map_err(faulty)
    }
}

impl Version {
    /// How another definition differs, if it does. A version that this build cannot read is
    /// compared as text.
    fn difference(&self, name: &str, other: &Workflow) -> Option<String> {
        if *self.source == *other.source {
            return None;
        }
        match self.workflow(name) {
            Ok(workflow) => workflow.difference(other),
            Err(_) => Some("the text in the log, which this build cannot read, is another".to_owned()),
        }
    }
}

/// A definition that is to be registered.
struct Candidate {
    workflow: Workflow,
    reference: WorkflowRef,
    /// Faults by rules that came later than a registration of the same definition.
    faults: Option<Faults>,
}

impl Candidate {
    fn read(source: &str) -> Result<Self, RegisterError> {
        let (workflow, faults) = match Workflow::parse(source) {
            Ok(workflow) => (workflow, None),
            Err(faults) => (Workflow::registered(source).map_err(|_| faults.clone())?, Some(faults)),
        };
        let reference = WorkflowRef { name: workflow.name.clone(), version: workflow.version };
        Ok(Self { workflow, reference, faults })
    }

    /// The registration of the same version, if it exists.
    fn met(&self, known: &Known) -> Result<Option<Registration>, RegisterError> {
        let reference = self.reference.clone();
        if let Some(other) = known.versions.get(&reference.version) {
            let WorkflowRef { name, version } = reference.clone();
            return match other.difference(&name, &self.workflow) {
                None => Ok(Some(Registration { registered: Registered::Known, reference, position: other.position })),
                Some(difference) => Err(RegisterError::Different { name, version, difference }),
            };
        }
        // A registered definition stays valid, whatever rules came later.
        self.faults.clone().map_or(Ok(None), |faults| Err(faults.into()))
    }
}

/// The result of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It is new.
    New,
    /// The same definition was registered before, perhaps as another text.
    Known,
}

/// A definition that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whether it was registered before.
    pub registered: Registered,
    /// Its name and version.
    pub reference: WorkflowRef,
    /// The position of its registration in the log.
    pub position: Position,
}

/// Why a definition was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The text is wrong.
    #[error("the workflow file is wrong:\n{0}")]
    Faulty(#[from] Faults),
    /// This version is registered with another definition, and cannot change.
    #[error(
        "version {version} of workflow {name:?} is registered, and the file means something else: {difference}. A changed \
         workflow needs a new version"
    )]
    Different {
        /// Its name.
        name: String,
        /// Its version.
        version: u32,
        /// The differences.
        difference: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The log could not be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The event could not be written as JSON.
    #[error(transparent)]
    Encode(#[from] serde_json::Error),
}

impl RegisterError {
    /// Whether the same registration may succeed later: the log did not answer.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            RegisterError::Lookup(LookupError::Read(ReadError::Unavailable(_)))
                | RegisterError::Append(AppendError::Unavailable(_))
        )
    }
}

/// Why a definition could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The event in the log cannot be decoded.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The text in the log is not a definition that this version of Tenuto can read.
    #[error("workflow {name:?} in the log cannot be read:\n{faults}")]
    Faulty {
        /// Its name.
        name: String,
        /// What is wrong.
        faults: Faults,
    },
}

impl<L: Log, C: Clock> Workflows<L, C> {
    /// The definitions of a log.
    pub fn new(log: L, clock: C) -> Self {
        Self { log, clock, known: Arc::default() }
    }

    /// What a registration of this definition would meet: the version that exists, if it has the
    /// same meaning. Nothing is recorded.
    pub async fn check(&self, source: &str) -> Result<(WorkflowRef, Option<Registration>), RegisterError> {
        let read = Candidate::read(source)?;
        let known = self.refresh(&read.reference.name).await?;
        let met = read.met(&known)?;
        Ok((read.reference, met))
    }

    /// Registers a definition under its name and version.
    pub async fn register(&self, source: &str) -> Result<Registration, RegisterError> {
        let read = Candidate::read(source)?;
        loop {
            let known = self.refresh(&read.reference.name).await?;
            if let Some(registration) = read.met(&known)? {
                return Ok(registration);
            }
            let reference = read.reference.clone();
            let event = WorkflowRegistered {
                name: reference.name.clone(),
                version: reference.version,
                source: source.to_owned(),
                at: self.clock.now().at,
            };
            let event = NewEvent {
                id: self.clock.id(),
                event_type: WorkflowRegistered::TYPE.to_owned(),
                data: Bytes::from(serde_json::to_vec(&event)?),
                metadata: Bytes::from_static(b"{}"),
            };
            let expected = known.next.checked_sub(1).map_or(Expected::NoStream, Expected::Revision);
            match self.log.append(&stream(&reference.name), expected, vec![event]).await {
                Ok(appended) => {
                    self.refresh(&reference.name).await?;
                    return Ok(Registration { registered: Registered::New, reference, position: appended.position });
                }
                // Another instance registered a version meanwhile: read again.
                Err(AppendError::WrongExpectedRevision { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The newest version of a name, which a new order follows.
    pub async fn latest(&self, name: &str) -> Result<Option<Arc<Workflow>>, LookupError> {
        let fresh = |known: &Known| known.read_at.is_some_and(|read_at| read_at.elapsed() < FRESH);
        let newest = |known: &Known| known.versions.last_key_value().map(|(_, version)| version.workflow(name));
        let known = lock(&self.known).get(name).filter(|known| fresh(known)).map(newest);
        match known {
            Some(newest) => newest,
            None => newest(&self.refresh(name).await?),
        }
        .transpose()
    }

    /// The definition that an order follows.
    pub async fn get(&self, reference: &WorkflowRef) -> Result<Option<Arc<Workflow>>, LookupError> {
        let WorkflowRef { name, version } = reference;
        let known = lock(&self.known).get(name).and_then(|known| known.versions.get(version)).cloned();
        if let Some(known) = known {
            return known.workflow(name).map(Some);
        }
        self.refresh(name).await?.versions.get(version).map(|known| known.workflow(name)).transpose()
    }

    /// Reads newer events. Names without a definition are not cached, so that requests for any
    /// number of them use no memory.
    async fn refresh(&self, name: &str) -> Result<Known, LookupError> {
        let mut known = lock(&self.known).get(name).cloned().unwrap_or_default();
        loop {
            // A read shows what was registered before it began, however long it takes.
            let begun = Instant::now();
            let page = self.log.read(&stream(name), known.next, PAGE).await?;
            let count = page.len();
            for recorded in page {
                let registered = decode_workflow(&recorded.event_type, &recorded.data)?;
                known.versions.insert(registered.version, Version::new(registered.source, recorded.position));
                known.next = recorded.revision + 1;
            }
            known.read_at = Some(begun);
            if count < PAGE {
                return Ok(self.keep_newest(name, known));
            }
        }
    }

    /// Caches the result of a read, unless another read that began later, or read further, ended
    /// first. Returns the cached result.
    fn keep_newest(&self, name: &str, read: Known) -> Known {
        if read.versions.is_empty() {
            return read;
        }
        let mut all = lock(&self.known);
        match all.get(name) {
            Some(kept) if (kept.next, kept.read_at) > (read.next, read.read_at) => kept.clone(),
            Some(_) | None => {
                all.insert(name.to_owned(), read.clone());
                read
            }
        }
    }
}

fn stream(name: &str) -> String {
    format!("{WORKFLOW_STREAM_PREFIX}{name}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::fakes::log::SimulatedLog;

    fn definition(version: u32) -> String {
        let participants = "participants: { p: { url: 'http://p' } }";
        format!("workflow: w\nversion: {version}\n{participants}\nsteps: {{ a: {{ call: p.a }} }}\n")
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_read_does_not_hide_a_version_that_was_registered_meanwhile() {
        let log = SimulatedLog::new();
        let workflows = Workflows::new(log.clone(), SystemClock);
        workflows.register(&definition(1)).await.unwrap();
        tokio::time::advance(FRESH).await;
        let gate = log.hold_back_read();
        let slow = tokio::spawn({
            let workflows = workflows.clone();
            async move { workflows.latest("w").await.unwrap().unwrap().version }
        });
        while !gate.is_reached() {
            tokio::task::yield_now().await;
        }
        workflows.register(&definition(2)).await.unwrap();
        gate.open();
        assert_eq!(slow.await.unwrap(), 2);
        assert_eq!(workflows.latest("w").await.unwrap().unwrap().version, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_slow_read_showed_is_as_old_as_its_beginning() {
        let log = SimulatedLog::new();
        let (workflows, others) = (Workflows::new(log.clone(), SystemClock), Workflows::new(log.clone(), SystemClock));
        others.register(&definition(1)).await.unwrap();
        let gate = log.hold_back_read();
        let (slow, ()) = tokio::join!(workflows.latest("w"), async {
            while !gate.is_reached() {
                tokio::task::yield_now().await;
            }
            others.register(&definition(2)).await.unwrap();
            tokio::time::advance(FRESH + Duration::from_millis(1)).await;
            gate.open();
        });
        assert_eq!(slow.unwrap().unwrap().version, 1);
        assert_eq!(workflows.latest("w").await.unwrap().unwrap().version, 2);
    }
}
