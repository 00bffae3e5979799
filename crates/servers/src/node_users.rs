//! The first users of the embedded node, with passwords from files.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use event_store_node::InitialPasswords;
use tls::file::warn_if_exposed;

/// The longest password, in bytes.
const MAX_BYTES: u64 = 1024;

/// The files with the first passwords of the embedded node's users.
#[derive(Debug, Clone, Default, Args)]
pub struct NodeUsers {
    /// A file with the password that the user admin gets at the first start: then clients need a
    /// user and a password. The node keeps users in its log
    #[arg(long, env = "TENUTO_EVENTSTORE_ADMIN_PASSWORD_FILE", value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// A file with the password that the user ops gets at the first start; without it, that user
    /// does not exist
    #[arg(long, env = "TENUTO_EVENTSTORE_OPS_PASSWORD_FILE", value_name = "FILE", requires = "admin_password_file")]
    pub ops_password_file: Option<PathBuf>,
}

/// A file has no usable password.
#[derive(Debug, thiserror::Error)]
#[error("{option} names {}, which {reason}; give a file whose first line is the password", path.display())]
pub struct PasswordFault {
    option: &'static str,
    path: PathBuf,
    reason: String,
}

impl NodeUsers {
    /// The passwords, if clients are to have users.
    pub fn passwords(&self) -> Result<Option<InitialPasswords>, PasswordFault> {
        let Some(admin) = &self.admin_password_file else { return Ok(None) };
        let admin = password("--admin-password-file", admin)?;
        let ops = self.ops_password_file.as_ref().map(|ops| password("--ops-password-file", ops)).transpose()?;
        Ok(Some(InitialPasswords { admin, ops }))
    }
}

fn password(option: &'static str, path: &Path) -> Result<String, PasswordFault> {
    let fault = |reason: String| PasswordFault { option, path: path.to_owned(), reason };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| fault(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(fault(format!("has more than {MAX_BYTES} bytes")));
    }
    warn_if_exposed(path);
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => Err(fault("has no password".to_owned())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn users(content: &str) -> (NodeUsers, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, content).unwrap();
        (NodeUsers { admin_password_file: Some(file), ops_password_file: None }, folder)
    }

    #[test]
    fn the_password_is_the_first_line() {
        for content in ["s3cret pass", "s3cret pass\n", "s3cret pass\r\nmore\n"] {
            let (users, _folder) = users(content);
            assert_eq!(users.passwords().unwrap().unwrap().admin, "s3cret pass", "{content:?}");
        }
        assert!(NodeUsers::default().passwords().unwrap().is_none());
    }

    #[test]
    fn a_file_without_a_password_is_named_and_its_content_is_not_shown() {
        for (content, part) in
            [("", "has no password"), ("\ns3cret\n", "has no password"), (&*"x".repeat(2000), "bytes")]
        {
            let (users, _folder) = users(content);
            let fault = users.passwords().unwrap_err().to_string();
            assert!(fault.contains(part) && fault.contains("--admin-password-file"), "{fault}");
            assert!(!fault.contains("s3cret") && !fault.contains("xxxx"), "{fault}");
        }
        let missing = NodeUsers { admin_password_file: Some("/missing".into()), ops_password_file: None };
        assert!(missing.passwords().unwrap_err().to_string().contains("/missing"));
    }
}
