//! The environment, the files that it names, and the folder of systemd's credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::file::{FileFault, in_file};

/// What systemd names the folder of a unit's credentials in.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// What the names of our credentials start with, so that a unit can have others.
const CREDENTIAL: &str = "tenuto.";
/// What the names of most variables start with, and those of credentials do not.
const VARIABLE: &str = "TENUTO_";
/// What the name of a variable ends with that names a file.
const FILE: &str = "_FILE";

/// Where secrets come from.
#[derive(Default)]
pub struct Sources {
    variables: BTreeMap<String, OsString>,
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It has two values.
    #[error("{name} and {name}_FILE are both set; unset one of them")]
    Two {
        /// Its variable.
        name: String,
    },
    /// Its file cannot be read.
    #[error("{name} comes from the file {}, which cannot be read: {source}; correct {from}, or the rights of the file", file.display())]
    Unreadable {
        /// Its variable.
        name: String,
        /// What names the file.
        from: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its file holds no value.
    #[error("{name} comes from the file {}, which {fault}; write the value into it, and nothing else", file.display())]
    NoValue {
        /// Its variable.
        name: String,
        /// The file.
        file: PathBuf,
        /// What it holds instead.
        fault: FileFault,
    },
    /// Its variable is no text.
    #[error("{name} is not UTF-8; correct its value in the environment")]
    NotText {
        /// Its variable.
        name: String,
    },
}

impl Sources {
    /// The environment of this process.
    pub fn of_environment() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self { variables: std::env::vars_os().filter_map(named).collect() }
    }

    /// These variables alone.
    #[cfg(test)]
    pub(crate) fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self { variables: variables.map(|(name, value)| (name.to_owned(), value.into())).into() }
    }

    /// A secret, if it has a value.
    pub fn read(&self, name: &str) -> Result<Option<SecretString>, SecretError> {
        let of_file = self.read_file(name)?;
        match self.variables.get(name) {
            Some(value) => {
                let text = value.to_str().ok_or_else(|| SecretError::NotText { name: name.to_owned() })?;
                Ok(Some(text.to_owned().into()))
            }
            None => Ok(of_file),
        }
    }

    /// A secret that comes from a file, if its variable is not set.
    pub fn read_file(&self, name: &str) -> Result<Option<SecretString>, SecretError> {
        let from = format!("{name}{FILE}");
        match (self.variables.contains_key(name), self.variables.get(&from)) {
            (true, Some(_)) => Err(SecretError::Two { name: name.to_owned() }),
            (true, None) => Ok(None),
            (false, Some(file)) => self::read_file(name, from, Path::new(file)).map(Some),
            (false, None) => match self.credential(name) {
                Some(file) if file.exists() => self::read_file(name, CREDENTIALS.to_owned(), &file).map(Some),
                _ => Ok(None),
            },
        }
    }

    /// All secrets whose names end so.
    pub fn ending(&self, end: &str) -> Result<BTreeMap<String, SecretString>, SecretError> {
        let variables = self.variables.iter();
        let of_variables = variables.filter_map(|(name, value)| match name.strip_suffix(FILE) {
            Some(name) => Some(name),
            // A variable that is no text is not for us.
            None => value.to_str().map(|_| name.as_str()),
        });
        let names: BTreeSet<String> = of_variables.map(str::to_owned).chain(self.names_of_credentials()).collect();
        let mut secrets = BTreeMap::new();
        for name in names.into_iter().filter(|name| name.ends_with(end)) {
            if let Some(secret) = self.read(&name)? {
                secrets.insert(name, secret);
            }
        }
        Ok(secrets)
    }

    fn credentials(&self) -> Option<&Path> {
        self.variables.get(CREDENTIALS).filter(|folder| !folder.is_empty()).map(Path::new)
    }

    fn credential(&self, name: &str) -> Option<PathBuf> {
        let name = name.strip_prefix(VARIABLE).unwrap_or(name);
        Some(self.credentials()?.join(format!("{CREDENTIAL}{name}")))
    }

    fn names_of_credentials(&self) -> Vec<String> {
        let entries = self.credentials().and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| Some(name.strip_prefix(CREDENTIAL)?.to_owned())).collect()
    }
}

fn read_file(name: &str, from: String, file: &Path) -> Result<SecretString, SecretError> {
    in_file(file).map_err(|fault| match fault {
        FileFault::Unreadable(source) => {
            SecretError::Unreadable { name: name.to_owned(), from, file: file.to_owned(), source }
        }
        fault => SecretError::NoValue { name: name.to_owned(), file: file.to_owned(), fault },
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    fn read(sources: &Sources, name: &str) -> Option<String> {
        sources.read(name).unwrap().map(|secret| secret.expose_secret().to_owned())
    }

    /// A folder with these files.
    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn a_secret_comes_from_its_variable_a_file_or_a_credential() {
        let folder = folder(&[("pw", b"of file\n"), ("tenuto.SMTP", b"of credential"), ("SMTP", b"another unit's")]);
        let (file, credentials) = (folder.path().join("pw"), folder.path().to_str().unwrap());
        let file = file.to_str().unwrap();
        let all = [("TENUTO_POSTGRES_FILE", file), (CREDENTIALS, credentials), ("TENUTO_LOG", "x")];
        assert_eq!(read(&Sources::of(all), "TENUTO_POSTGRES").as_deref(), Some("of file"));
        assert_eq!(read(&Sources::of(all), "TENUTO_SMTP").as_deref(), Some("of credential"));
        assert_eq!(read(&Sources::of(all), "TENUTO_EVENTSTORE"), None);
        let own = Sources::of([("TENUTO_SMTP", "of variable"), (CREDENTIALS, credentials)]);
        assert_eq!(read(&own, "TENUTO_SMTP").as_deref(), Some("of variable"));
    }

    #[test]
    fn a_file_without_a_usable_value_is_an_error_that_names_it_and_not_what_it_holds() {
        let large = vec![b'x'; 70_000];
        let folder =
            folder(&[("empty", b"\n"), ("lines", b"s3cret\nmore"), ("binary", b"s3cret\xff"), ("large", &large)]);
        for (name, reason) in [
            ("empty", "is empty"),
            ("lines", "has more than one line"),
            ("binary", "is not UTF-8"),
            ("large", "larger than 64 KiB"),
            ("missing", "cannot be read"),
        ] {
            let file = folder.path().join(name);
            let error = Sources::of([("TENUTO_SMTP_FILE", file.to_str().unwrap())]).read("TENUTO_SMTP").unwrap_err();
            let shown = format!("{error} {error:?}");
            let is_named = shown.contains("TENUTO_SMTP") && shown.contains(file.to_str().unwrap());
            assert!(is_named && shown.contains(reason) && !shown.contains("s3cret"), "{shown}");
        }
        let both = Sources::of([("TENUTO_SMTP_FILE", "/x"), ("TENUTO_SMTP", "s3cret")]);
        let error = both.read("TENUTO_SMTP").unwrap_err().to_string();
        assert!(error.contains("both set") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn all_secrets_with_an_ending_are_found() {
        let folder = folder(&[("tax", b"http://tax"), ("tenuto.SHIP_URL", b"http://ship"), ("tenuto.SMTP", b"x")]);
        let file = folder.path().join("tax");
        let sources = Sources::of([
            ("PAY_URL", "http://pay"),
            ("TAX_URL_FILE", file.to_str().unwrap()),
            (CREDENTIALS, folder.path().to_str().unwrap()),
            ("OTHER", "x"),
        ]);
        let found = sources.ending("_URL").unwrap();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(found, [("PAY_URL", "http://pay"), ("SHIP_URL", "http://ship"), ("TAX_URL", "http://tax")]);
        assert!(!format!("{:?}", sources.ending("_URL").unwrap()).contains("http"));
    }
}
