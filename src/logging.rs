//! Logs: to standard error, filtered by `TENUTO_LOG` in the form of `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// In development the terminal belongs to the timelines, so only what is wrong is logged.
pub(crate) fn start(dev: bool) {
    let default = if dev { "warn" } else { "info,fjall=warn,lsm_tree=warn,sqlx::postgres::notice=warn" };
    let filter = EnvFilter::try_from_env("TENUTO_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
