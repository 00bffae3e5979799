//! One of many processes follows the log: the one that was elected.
//!
//! [`acquire_leadership`] waits until this process leads. A lock on its connection to Postgres
//! holds the leadership. [`lead`] begins one term of leadership after another, whatever interrupts
//! them. [`follow`] does the rest for a handler of single events: it reads a part of the log from a
//! checkpoint in Postgres, hands each event to a [`Reader`], and moves the checkpoint past the
//! handled events. What holds:
//!
//! - **At least once.** The checkpoint passes an event only when it and all before it are handled.
//!   After a crash some events are handled again, so handling one twice must change nothing.
//! - **In order where it matters.** Events of one lane are handled one after another. Others are
//!   handled side by side, up to a bound.
//! - **One reader.** An instance that loses the connection has lost the leadership, and cannot move
//!   the checkpoint. An instance that falls silent loses the connection. Others stand by and take
//!   over.
//! - **The checkpoint's log.** A checkpoint is used only on its own log ([`verify`]). That is
//!   checked at the beginning, and whenever the connection to the log was made again.

mod alarm;
mod checkpoint;
mod follow;
mod lanes;
mod leadership;
mod origin;
mod terms;
mod window;

pub use alarm::{LogAlarm, METRICS};
pub use checkpoint::{CheckpointRow, read_checkpoint, write_checkpoint};
pub use follow::{FollowOptions, Reader, follow};
pub use leadership::acquire_leadership;
pub use origin::{Checkpoint, Mark, Mismatch, OriginError, compare, verify};
pub use terms::{Consequence, Interrupted, Term, Terms, lead};
pub use window::{Number, Window};
