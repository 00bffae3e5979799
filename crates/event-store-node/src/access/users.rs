//! The users of a node: in its log, as a server keeps them, and in memory.
//!
//! `$users` has the name of each user, and `$user-NAME` what is known of this one; the last event
//! counts. A check of a password takes a good part of a second on purpose, and clients send the
//! password with every call. So a password that fits is remembered, as a keyed hash, until the
//! user's password changes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ring::hmac;
use ring::rand::SystemRandom;
use serde_json::json;
use tokio::sync::{Mutex as Turn, Semaphore};

use super::caller::{ADMIN, ADMINS, Caller, OPERATORS, OPS};
use super::password::{Hashed, NoSalt};
use super::user::{User, is_login};
use crate::change::{Change, Failure, Intent, Proposed};
use crate::decision::Expected;
use crate::reader::{ReadFailure, Reader};
use crate::storage::{Direction, PageLimits, StreamPage};
use crate::writer::Writer;

/// The stream with the name of each user.
const USERS: &str = "$users";
/// How many users a node has at most.
const MAX_USERS: usize = 10_000;
/// How many checks of passwords may wait for their turn. Further ones are refused.
const MAX_WAITING: usize = 64;

/// The passwords of the users that a node has from the beginning. Never printed.
#[derive(Clone)]
pub struct InitialPasswords {
    /// Of `admin`, who may do everything.
    pub admin: String,
    /// Of `ops`, who operates the node. Without it, there is no such user at first.
    pub ops: Option<String>,
}

impl fmt::Debug for InitialPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitialPasswords").finish_non_exhaustive()
    }
}

/// Why the users cannot be loaded or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsersError {
    #[error(transparent)]
    Unread(#[from] ReadFailure),
    #[error("the log cannot be written: {0:?}")]
    Unwritten(Failure),
    #[error("{0}: it is no record of a user")]
    Damaged(String),
    #[error(transparent)]
    NoSalt(#[from] NoSalt),
    #[error("a user of this name exists")]
    Exists,
    #[error("no user has this name")]
    Unknown,
    #[error("a login name has 1 to 200 bytes, without a colon and without control characters")]
    Name,
    #[error("a password needs at least one character")]
    Password,
    #[error("the node has {MAX_USERS} users, and takes no more")]
    TooMany,
    #[error("too many passwords are being checked")]
    Busy,
    #[error("the password is another one")]
    OtherPassword,
}

/// The users. Clones are the same.
#[derive(Clone)]
pub(crate) struct Users(Arc<Inner>);

struct Inner {
    writer: Writer,
    users: RwLock<HashMap<String, User>>,
    /// The remembered password of each user.
    remembered: Mutex<HashMap<String, hmac::Tag>>,
    key: hmac::Key,
    /// Checked in place of the password of a user that does not exist, so that the time does not
    /// tell which users exist.
    decoy: Hashed,
    /// One check at a time leaves the other processors to the clients who are known.
    checks: Semaphore,
    waiting: Semaphore,
    /// Changes are made one after another.
    turn: Turn<()>,
}

impl Users {
    /// Reads the users from the log, and records those that are missing.
    pub(crate) async fn open(reader: &Reader, writer: Writer, initial: InitialPasswords) -> Result<Self, UsersError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map_err(|_| NoSalt)?;
        let users = RwLock::new(recorded(reader).await?);
        let inner = Inner {
            writer,
            users,
            remembered: Mutex::default(),
            key,
            decoy: Hashed::decoy(),
            checks: Semaphore::new(1),
            waiting: Semaphore::new(MAX_WAITING),
            turn: Turn::new(()),
        };
        let users = Self(Arc::new(inner));
        let InitialPasswords { admin, ops } = initial;
        let ops = ops.map(|ops| (OPS, OPERATORS, "Event Store Operations", ops));
        for (login, group, name, password) in
            [(ADMIN, ADMINS, "Event Store Administrator", admin)].into_iter().chain(ops)
        {
            match users.create(login, name, vec![group.to_owned()], password).await {
                Ok(()) | Err(UsersError::Exists) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(users)
    }

    /// The caller, if this password was found to fit before.
    pub(super) fn remembered(&self, login: &str, password: &str) -> Option<Caller> {
        let user = self.find(login).filter(|user| !user.disabled)?;
        let tag = lock(&self.0.remembered).get(login).copied()?;
        hmac::verify(&self.0.key, &remark(&user, password), tag.as_ref()).ok()?;
        Some(Caller::User(Arc::new(user.identity())))
    }

    /// Checks a password. `None`: it does not fit, the user is disabled, or does not exist.
    pub(super) async fn check(&self, login: &str, password: String) -> Result<Option<Caller>, UsersError> {
        let user = self.find(login);
        let known = user.as_ref().map_or_else(|| self.0.decoy.clone(), |user| user.password.clone());
        let fits = self.fits(known, password.clone()).await?;
        let Some(user) = user.filter(|user| fits && !user.disabled) else { return Ok(None) };
        let tag = hmac::sign(&self.0.key, &remark(&user, &password));
        lock(&self.0.remembered).insert(login.to_owned(), tag);
        Ok(Some(Caller::User(Arc::new(user.identity()))))
    }

    async fn fits(&self, known: Hashed, password: String) -> Result<bool, UsersError> {
        let _waiting = self.0.waiting.try_acquire().map_err(|_| UsersError::Busy)?;
        // Neither semaphore is ever closed.
        let _turn = self.0.checks.acquire().await.map_err(|_| UsersError::Busy)?;
        tokio::task::spawn_blocking(move || known.fits(&password)).await.map_err(|_| UsersError::Busy)
    }

    pub(crate) fn find(&self, login: &str) -> Option<User> {
        read(&self.0.users).get(login).cloned()
    }

    /// All users, by name.
    pub(crate) fn all(&self) -> Vec<User> {
        let mut all: Vec<User> = read(&self.0.users).values().cloned().collect();
        all.sort_by(|one, other| one.login_name.cmp(&other.login_name));
        all
    }

    pub(crate) async fn create(
        &self,
        login: &str,
        full_name: &str,
        groups: Vec<String>,
        password: String,
    ) -> Result<(), UsersError> {
        let _turn = self.0.turn.lock().await;
        if !is_login(login) {
            return Err(UsersError::Name);
        }
        if self.find(login).is_some() {
            return Err(UsersError::Exists);
        }
        if read(&self.0.users).len() >= MAX_USERS {
            return Err(UsersError::TooMany);
        }
        let password = hashed(password).await?;
        let (login_name, full_name) = (login.to_owned(), full_name.to_owned());
        let user = User { login_name, full_name, password, disabled: false, groups };
        // Without its record, a name is ignored. A record without its name would be lost.
        let content_type = "application/octet-stream".to_owned();
        let name = Proposed { data: login.to_owned().into(), content_type, ..Proposed::own("$User", &json!(null)) };
        self.append(USERS.to_owned(), name).await?;
        self.record("$UserCreated", user).await
    }

    /// Changes a user.
    pub(crate) async fn change(&self, login: &str, change: impl FnOnce(&mut User) + Send) -> Result<(), UsersError> {
        let _turn = self.0.turn.lock().await;
        let mut user = self.find(login).ok_or(UsersError::Unknown)?;
        change(&mut user);
        self.record("$UserUpdated", user).await
    }

    pub(crate) async fn set_password(&self, login: &str, password: String) -> Result<(), UsersError> {
        if self.find(login).is_none() {
            return Err(UsersError::Unknown);
        }
        let password = hashed(password).await?;
        self.change(login, |user| user.password = password).await
    }

    /// Sets a password, for a caller that gives the current one.
    pub(crate) async fn change_password(
        &self,
        login: &str,
        current: String,
        password: String,
    ) -> Result<(), UsersError> {
        let user = self.find(login).ok_or(UsersError::Unknown)?;
        if !self.fits(user.password, current).await? {
            return Err(UsersError::OtherPassword);
        }
        self.set_password(login, password).await
    }

    pub(crate) async fn delete(&self, login: &str) -> Result<(), UsersError> {
        let _turn = self.0.turn.lock().await;
        self.find(login).ok_or(UsersError::Unknown)?;
        let intent = Intent { stream: stream_of(login), expected: Expected::Any, change: Change::Delete };
        self.0.writer.change(intent).await.map_err(UsersError::Unwritten)?.map_err(|refusal| unwritten(&refusal))?;
        write(&self.0.users).remove(login);
        lock(&self.0.remembered).remove(login);
        Ok(())
    }

    async fn record(&self, kind: &str, user: User) -> Result<(), UsersError> {
        self.append(stream_of(&user.login_name), Proposed::own(kind, &json!(user))).await?;
        write(&self.0.users).insert(user.login_name.clone(), user);
        Ok(())
    }

    async fn append(&self, stream: String, event: Proposed) -> Result<(), UsersError> {
        let intent = Intent { stream, expected: Expected::Any, change: Change::Append(vec![event]) };
        let written = self.0.writer.change(intent).await.map_err(UsersError::Unwritten)?;
        written.map(drop).map_err(|refusal| unwritten(&refusal))
    }
}

fn unwritten(refusal: &crate::change::Refusal) -> UsersError {
    UsersError::Unwritten(Failure::Broken(format!("{refusal:?}")))
}

fn stream_of(login: &str) -> String {
    format!("$user-{login}")
}

/// What is remembered of a password that fits: it ends with the user's hash.
fn remark(user: &User, password: &str) -> Vec<u8> {
    [user.password.mark(), "\0", password].concat().into_bytes()
}

async fn hashed(password: String) -> Result<Hashed, UsersError> {
    if password.is_empty() {
        return Err(UsersError::Password);
    }
    let hashed = tokio::task::spawn_blocking(move || Hashed::of(&password)).await;
    Ok(hashed.map_err(|_| UsersError::Busy)??)
}

/// The users in the log.
async fn recorded(reader: &Reader) -> Result<HashMap<String, User>, UsersError> {
    let (mut users, mut from) = (HashMap::new(), Some(0));
    while let Some(next) = from {
        let page = reader.stream_page(USERS, next, Direction::Forwards, PageLimits::default()).await?;
        let StreamPage::Page { events, next, .. } = page else { break };
        for event in events {
            let Ok(login) = std::str::from_utf8(&event.record.data) else { continue };
            // A user that was deleted has no record.
            let Some(last) = reader.last_of(&stream_of(login)).await? else { continue };
            let user: Result<User, _> = serde_json::from_slice(&last.record.data);
            let user = user.ok().filter(|user| user.login_name == login);
            let user = user.ok_or_else(|| UsersError::Damaged(stream_of(login)))?;
            users.insert(login.to_owned(), user);
        }
        from = next;
    }
    Ok(users)
}

/// Nothing panics under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
