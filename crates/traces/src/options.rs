//! Where spans go, and which traces are sampled.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use domain::trace::SampleRatio;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tls::FileFault;
use tls::client::{ClientFiles, Trust};

/// The path of traces below the endpoint of a collector.
const PATH: &str = "v1/traces";
/// What tells every OpenTelemetry program where its collector is.
const OTEL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Which orders' traces are sampled.
#[derive(Debug, Clone, Copy, Args)]
pub struct Sampling {
    /// The share of orders that are traced, from 0 to 1, of those whose shop sends no
    /// `traceparent`; set the same for all roles
    #[arg(long, env = "TENUTO_TRACE_SAMPLE_RATIO", default_value = "1", value_name = "RATIO")]
    pub trace_sample_ratio: SampleRatio,
}

/// The collector that receives spans.
#[derive(Debug, Clone, Default, Args)]
pub struct CollectorArgs {
    /// The OpenTelemetry collector that receives the spans of orders, by OTLP over HTTP, such as
    /// `http://collector:4318` [default: `OTEL_EXPORTER_OTLP_ENDPOINT`; without one, no spans are
    /// sent]
    #[arg(long, env = "TENUTO_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// A file with headers of requests to the collector, each on a line, such as `authorization:
    /// Bearer …`
    #[arg(long, env = "TENUTO_OTLP_HEADERS_FILE", value_name = "FILE")]
    pub otlp_headers_file: Option<PathBuf>,
    /// A file with authorities of the collector's certificate, in PEM, in addition to those that
    /// this machine trusts. A changed file is in use within seconds
    #[arg(long, env = "TENUTO_OTLP_CA_FILE", value_name = "FILE")]
    pub otlp_ca_file: Option<PathBuf>,
    /// How requests to the collector are compressed. To compress spans takes more of a processor
    /// than to derive them
    #[arg(long, env = "TENUTO_OTLP_COMPRESSION", value_enum, default_value_t, value_name = "ENCODING")]
    pub otlp_compression: Compression,
    /// The name of this deployment in traces
    #[arg(long, env = "TENUTO_OTLP_SERVICE_NAME", default_value = "tenuto", value_name = "NAME")]
    pub otlp_service_name: String,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Not at all: what the specification of OTLP exporters has as the default.
    #[default]
    None,
    /// By gzip.
    Gzip,
}

/// What requests to a collector need.
pub struct Target {
    pub url: Url,
    pub headers: HeaderMap,
    pub client: reqwest::Client,
    pub service: String,
    pub compression: Compression,
}

/// The settings of the collector cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CollectorFault {
    /// It is no URL, or one of another kind.
    #[error(
        "--otlp-endpoint (TENUTO_OTLP_ENDPOINT, {OTEL_ENDPOINT}) must be a URL like http://collector:4318, without user, password \
         and query; it {0}"
    )]
    Url(String),
    /// The file with headers.
    #[error("--otlp-headers-file (TENUTO_OTLP_HEADERS_FILE), {}: {fault}", file.display())]
    Headers {
        /// The file.
        file: PathBuf,
        /// What is wrong. It does not repeat a header.
        fault: String,
    },
    /// The file with authorities.
    #[error("--otlp-ca-file (TENUTO_OTLP_CA_FILE): {0}")]
    Authorities(#[from] FileFault),
    /// The client cannot be set up.
    #[error("the client of the collector cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl CollectorArgs {
    /// The collector, if one is named. Needs a runtime.
    pub(crate) fn target(&self) -> Result<Option<Target>, CollectorFault> {
        let endpoint = self.otlp_endpoint.clone().or_else(|| std::env::var(OTEL_ENDPOINT).ok());
        let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.trim().is_empty()) else { return Ok(None) };
        let url = url(endpoint.trim())?;
        let headers = self.otlp_headers_file.as_deref().map(headers).transpose()?.unwrap_or_default();
        let mut builder = http_client::builder()?;
        if let Some(file) = &self.otlp_ca_file {
            let files = ClientFiles { trust: Trust::MachineAnd(file.clone()), pair: None };
            builder = builder.use_preconfigured_tls(files.load()?);
        }
        let (service, compression) = (self.otlp_service_name.clone(), self.otlp_compression);
        Ok(Some(Target { url, headers, client: builder.build()?, service, compression }))
    }

    /// The name of this deployment in traces.
    pub(crate) fn service(&self) -> &str {
        &self.otlp_service_name
    }
}

fn url(endpoint: &str) -> Result<Url, CollectorFault> {
    let mut url = Url::parse(endpoint).map_err(|error| CollectorFault::Url(format!("is none: {error}")))?;
    let fault = if !matches!(url.scheme(), "http" | "https") {
        "begins with neither http:// nor https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "has a user or a password; write it into --otlp-headers-file"
    } else if url.query().is_some() || url.fragment().is_some() {
        "has a query or a fragment"
    } else {
        if !url.path().ends_with(PATH) {
            let base = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{base}/{PATH}"));
        }
        return Ok(url);
    };
    Err(CollectorFault::Url(fault.to_owned()))
}

/// The headers in a file. They may be secrets, so no error repeats one.
fn headers(file: &Path) -> Result<HeaderMap, CollectorFault> {
    let wrong = |fault: String| CollectorFault::Headers { file: file.to_owned(), fault };
    let text = fs::read_to_string(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut headers = HeaderMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let header = line.split_once(':').and_then(|(name, value)| {
            let name: HeaderName = name.trim().parse().ok()?;
            let mut value: HeaderValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = header.ok_or_else(|| wrong(format!("line {number} is not a header like `name: value`")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_unless_the_endpoint_has_it() {
        for (endpoint, expected) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://o.example/otlp/", "https://o.example/otlp/v1/traces"),
            ("https://o.example/v1/traces", "https://o.example/v1/traces"),
        ] {
            assert_eq!(url(endpoint).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_used_is_an_error_that_repeats_no_password() {
        for wrong in ["collector:4318", "collector", "http://u:s3cret@h", "http://h?key=s3cret", "ftp://h"] {
            let error = url(wrong).unwrap_err().to_string();
            assert!(error.contains("--otlp-endpoint") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn headers_are_lines_and_a_wrong_line_is_named_and_not_repeated() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "# of the vendor\nAuthorization: Bearer a:b\n\nx-tenant: 7\n").unwrap();
        let read = headers(file.path()).unwrap();
        assert_eq!((read["authorization"].to_str().unwrap(), read["x-tenant"].to_str().unwrap()), ("Bearer a:b", "7"));
        fs::write(file.path(), "x: 1\ns3cret\n").unwrap();
        let error = headers(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("s3cret"), "{error}");
    }
}
