//! Reads the configuration again on SIGHUP. All of it is checked first; with a fault, nothing
//! changes. Options that can change then do, and the others are named.

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgMatches, FromArgMatches};
use command_line::logging::LogOptions;
use configuration::{CommandLine, Configuration, changed, used};
use error_causes::with_causes;
use live::Change;
use tokio::sync::Notify;

/// What a process needs to read its configuration again.
pub struct Reload {
    line: CommandLine,
    /// The file that was read at the start. Without it, nothing counts in its place.
    file: Option<PathBuf>,
    set_levels: Box<dyn Fn(&LogOptions) + Send>,
    /// What counted at the start.
    begun_with: ArgMatches,
    /// What the last reload found.
    latest: ArgMatches,
}

/// Checks what the options of a role have become, and returns what takes them into use.
type Prepare<A> = dyn Fn(&A) -> Result<Change, Box<dyn Error>>;

/// What a reload did.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    file: Option<PathBuf>,
    /// The options that have changed since the reload before.
    changed: Vec<String>,
    /// The options that take effect at the next start.
    later: Vec<String>,
}

impl Reload {
    /// Of a process with this command line, which counted so with this file. `set_levels` changes
    /// what is logged.
    pub fn new(
        line: CommandLine,
        matches: ArgMatches,
        configuration: Option<&Configuration>,
        set_levels: impl Fn(&LogOptions) + Send + 'static,
    ) -> Self {
        let file = configuration.map(|configuration| configuration.path().to_owned());
        Self { line, file, set_levels: Box::new(set_levels), latest: matches.clone(), begun_with: matches }
    }

    /// Reads the configuration at each notification. `prepare` checks what the role's options have
    /// become, reads the files that they name, and returns what takes it into use.
    pub async fn run<A: FromArgMatches>(
        mut self,
        asked: Arc<Notify>,
        prepare: impl Fn(&A) -> Result<Change, Box<dyn Error>> + Send + Sync + 'static,
    ) -> Infallible {
        let prepare = Arc::new(prepare);
        loop {
            asked.notified().await;
            service_manager::reloading();
            let prepare = prepare.clone();
            // Files may be slow.
            let reading = tokio::task::spawn_blocking(move || {
                let done = self.read(&*prepare);
                (self, done)
            });
            let done;
            (self, done) = match reading.await {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(%error, "the configuration is not read again any more; restart");
                    std::future::pending().await
                }
            };
            metrics::note_reload(done.is_ok());
            report(done);
            service_manager::reloaded();
        }
    }

    fn read<A: FromArgMatches>(&mut self, prepare: &Prepare<A>) -> Result<Done, String> {
        let (matches, change) = self.checked(prepare).map_err(|error| one_line(error.as_ref()))?;
        let logs = LogOptions::from_arg_matches(&matches).map_err(|error| one_line(&error))?;
        let later = change.apply();
        (self.set_levels)(&logs);
        let root = self.line.root();
        let of_last = changed(root, &self.latest, &matches).into_iter().filter(|option| option.is_reloaded);
        let of_last = of_last.map(|option| option.name).filter(|name| !later.contains(&name.as_str())).collect();
        let of_start = changed(root, &self.begun_with, &matches).into_iter().filter(|option| !option.is_reloaded);
        let of_start = of_start.map(|option| option.name).chain(later.iter().map(|&name| name.to_owned())).collect();
        self.latest = matches;
        Ok(Done { file: self.file.clone(), changed: of_last, later: of_start })
    }

    fn checked<A: FromArgMatches>(&self, prepare: &Prepare<A>) -> Result<(ArgMatches, Change), Box<dyn Error>> {
        let configuration = match &self.file {
            Some(file) => Some(Configuration::read(file.clone(), self.line.root())?),
            None => self.line.find()?,
        };
        let matches = self.line.read(configuration.as_ref())?;
        let (_, of_role) = used(self.line.root(), &matches);
        let change = prepare(&A::from_arg_matches(of_role)?)?;
        Ok((matches, change))
    }
}

fn report(done: Result<Done, String>) {
    match done {
        Err(fault) => tracing::error!("the configuration is not reloaded, and nothing has changed: {fault}"),
        Ok(Done { file, changed, later }) => {
            let file = file.map(|file| file.display().to_string());
            tracing::info!(file, changed = changed.join(", "), "the configuration is reloaded");
            if !later.is_empty() {
                tracing::warn!("options that take effect at the next start: {}", later.join(", "));
            }
        }
    }
}

/// Faults of a file stand on a line each.
fn one_line(error: &dyn Error) -> String {
    let text = with_causes(error);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
