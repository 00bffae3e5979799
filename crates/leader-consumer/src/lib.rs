//! Following the log as the one of many processes that does so.
//!
//! [`take_place`] waits for the place of the one that works, which it holds by a lock on its connection. [`follow`] does the rest for
//! whoever handles events one by one: it reads a part of the log from a checkpoint in Postgres, hands each event to a
//! [`Reader`], and moves the checkpoint past what is handled. What holds:
//!
//! - **At least once.** The checkpoint passes an event only when it and all before it are handled. After a crash some are
//!   handled again, so handling one twice has to change nothing.
//! - **In order where it matters.** Events of one lane are handled one after another; others go side by side, up to a bound.
//! - **One reader.** Whoever loses the connection has lost the place, and cannot move the checkpoint; whoever falls silent
//!   loses the connection. Others stand by and take over.
//! - **The checkpoint's log.** A checkpoint is used only on the log that it is of ([`verify`]): at the beginning, and whenever the
//!   connection to the log was made again.

mod alarm;
mod bookmark;
mod follow;
mod lanes;
mod origin;
mod place;
mod window;

pub use alarm::LogAlarm;
pub use bookmark::{Bookmark, read_checkpoint};
pub use follow::{FollowOptions, Reader, follow};
pub use origin::{Checkpoint, Mark, Mismatch, OriginError, compare, verify};
pub use place::take_place;
