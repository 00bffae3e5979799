//! What a request holds while its body arrives: a client that sends slowly must not cost more than
//! its connection does.

use std::any::type_name;

use event_store::EventStore;
use sqlx::PgPool;

use super::{batch, forget, operate, outcome, place, workflows};
use crate::clock::SystemClock;

/// In bytes.
const MAX_HELD: usize = 4_096;

/// A handler, and what it holds until it has answered.
type Held = (&'static str, usize);

fn two<A, B, F: Future>(_: impl Fn(A, B) -> F) -> Held {
    (type_name::<F>(), size_of::<F>())
}

fn three<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> Held {
    (type_name::<F>(), size_of::<F>())
}

fn four<A, B, C, D, F: Future>(_: impl Fn(A, B, C, D) -> F) -> Held {
    (type_name::<F>(), size_of::<F>())
}

#[test]
fn a_handler_of_a_body_holds_little_before_the_body_is_there() {
    let handlers = [
        two(place::handle::<EventStore, SystemClock>),
        two(workflows::handle::<EventStore, SystemClock>),
        two(workflows::check::<EventStore, SystemClock>),
        two(batch::handle::<EventStore, SystemClock, PgPool>),
        three(forget::handle::<EventStore, SystemClock, PgPool>),
        four(outcome::handle::<EventStore, SystemClock>),
        four(operate::handle::<EventStore, SystemClock>),
    ];
    for (name, held) in handlers {
        assert!(held <= MAX_HELD, "{held} bytes: {name}");
    }
}
