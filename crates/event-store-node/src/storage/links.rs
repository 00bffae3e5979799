//! Links: events that point to another event.

use std::sync::Arc;

use event_store_protocol::link::{LINK_TYPE, link_target};

use super::{Event, StorageError, View};

/// An event as a reader that follows links gets it.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// `None`: the link points to no event, or to one that may no longer be read.
    pub(crate) event: Option<Arc<Event>>,
    /// The link to it. `None`: the event is no link, or links are not followed.
    pub(crate) link: Option<Arc<Event>>,
}

impl Resolved {
    /// The event that the log has at this place: the link, if there is one.
    pub(crate) fn original(&self) -> Option<&Arc<Event>> {
        self.link.as_ref().or(self.event.as_ref())
    }
}

impl From<Arc<Event>> for Resolved {
    fn from(event: Arc<Event>) -> Self {
        Self { event: Some(event), link: None }
    }
}

impl Event {
    pub(crate) fn is_link(&self) -> bool {
        self.record.event_type == LINK_TYPE
    }
}

impl View<'_> {
    /// Follows the event's link, if it is one.
    pub(crate) fn resolve(&self, event: Arc<Event>) -> Result<Resolved, StorageError> {
        if !event.is_link() {
            return Ok(event.into());
        }
        let target = match link_target(&event.record.data) {
            Some((revision, stream)) => self.visible_event(stream, revision)?,
            None => None,
        };
        Ok(Resolved { event: target.map(Arc::new), link: Some(event) })
    }
}
