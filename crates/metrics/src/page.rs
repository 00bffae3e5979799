//! The text of `/metrics`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The media type of the text.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process serves at `/metrics`.
#[derive(Debug, Default)]
pub struct Page(Registry);

impl Page {
    /// The page with this collector too.
    #[must_use]
    pub fn with(mut self, collector: impl Collector) -> Self {
        self.0.register_collector(Box::new(collector));
        self
    }

    /// The page with this collector too, if there is one.
    #[must_use]
    pub fn with_some(self, collector: Option<impl Collector>) -> Self {
        match collector {
            Some(collector) => self.with(collector),
            None => self,
        }
    }

    /// What the collectors write now, as `OpenMetrics` text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}
