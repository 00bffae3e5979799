//! The services that are called, each with its turns: so many calls to one at once, and no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::Url;
use tokio::sync::Semaphore;

use super::{Ask, Settings};
use crate::orchestrator::lock;

/// Services by URL, as the workflows have it: there are as many as there are participants.
#[derive(Debug, Clone)]
pub(super) struct Services {
    most_calls: usize,
    known: Arc<Mutex<HashMap<String, Arc<Service>>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Service {
    /// Calls at once: more of them would only wait there, or be refused.
    pub turns: Semaphore,
    /// Where its actions are asked for: as many as its workflows name.
    actions: Mutex<HashMap<String, Url>>,
}

impl Services {
    pub fn new(most_calls: usize) -> Self {
        Self { most_calls, known: Arc::default() }
    }

    /// The service at this URL.
    pub fn at(&self, url: &str) -> Arc<Service> {
        let mut known = lock(&self.known);
        if let Some(service) = known.get(url) {
            return service.clone();
        }
        let service = Arc::new(Service { turns: Semaphore::new(self.most_calls), actions: Mutex::default() });
        known.entry(url.to_owned()).or_insert(service).clone()
    }
}

impl Service {
    /// Where an action is asked for, of the service at `url`.
    pub fn target(&self, settings: &Settings, url: &str, ask: &Ask) -> Result<Url, String> {
        let mut actions = lock(&self.actions);
        if let Some(target) = actions.get(&ask.action) {
            return Ok(target.clone());
        }
        let base = settings.resolve(url).map_err(|error| error.to_string())?;
        let target = format!("{}/{}", base.trim_end_matches('/'), ask.action);
        let target = Url::parse(&target).map_err(|error| format!("the URL of the participant is none: {error}"))?;
        actions.insert(ask.action.clone(), target.clone());
        Ok(target)
    }
}
