//! The changes for one subscriber: first those that it missed, then the new ones. Each arrives
//! once, and none is left out.

use std::collections::VecDeque;

use futures::{Stream, StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::hub::{Hub, Membership};
use super::stats::Counted;
use super::subscription::{Begin, Ended, Interest};
use super::window::{Change, Watched, read};
use crate::schema::Order;

/// How far a subscription is.
enum Stage {
    /// It reads the changes that it missed, window by window.
    Behind,
    /// It has joined the hub, and reads the changes until then once more.
    Joined(Membership),
    /// It receives changes from the hub.
    Following(Membership),
}

struct Follower {
    hub: Hub,
    interest: Interest,
    /// Each change up to here was delivered, or is in `ready`.
    through: i64,
    ready: VecDeque<Change>,
    stage: Stage,
    held: (OwnedSemaphorePermit, Counted),
}

/// The changes, and at the end the reason for the end.
pub fn changes(
    hub: Hub,
    interest: Interest,
    from: Begin,
    held: (OwnedSemaphorePermit, Counted),
) -> impl Stream<Item = Result<Order, Ended>> {
    let begin = async move {
        let (through, stage) = match from {
            // Positions begin with 0.
            Begin::Present => (-1, Stage::Behind),
            Begin::Position(position) => (i64::try_from(position).unwrap_or(i64::MAX), Stage::Behind),
            Begin::Now => (-1, Stage::Following(hub.join(interest.clone()).await?)),
        };
        Ok::<_, Ended>(Follower { hub, interest, through, ready: VecDeque::new(), stage, held })
    };
    stream::once(begin).flat_map(|begun| match begun {
        Ok(follower) => stream::unfold(Some(follower), next).left_stream(),
        Err(ended) => stream::iter([Err(ended)]).right_stream(),
    })
}

async fn next(follower: Option<Follower>) -> Option<(Result<Order, Ended>, Option<Follower>)> {
    let mut follower = follower?;
    match follower.next().await {
        Ok(order) => Some((Ok(order), Some(follower))),
        Err(ended) => {
            if ended == Ended::TooSlow {
                follower.held.1.lets_go();
            }
            Some((Err(ended), None))
        }
    }
}

impl Follower {
    async fn next(&mut self) -> Result<Order, Ended> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change.order);
            }
            match &mut self.stage {
                Stage::Behind => {
                    if self.read_on().await? {
                        self.stage = Stage::Joined(self.hub.join(self.interest.clone()).await?);
                    }
                }
                Stage::Joined(_) => {
                    if self.read_on().await?
                        && let Stage::Joined(membership) = std::mem::replace(&mut self.stage, Stage::Behind)
                    {
                        self.stage = Stage::Following(membership);
                    }
                }
                Stage::Following(membership) => {
                    let change = membership.next().await?;
                    if change.became_late {
                        return Ok(change.order);
                    }
                    if change.position() > self.through {
                        self.through = change.position();
                        return Ok(change.order);
                    }
                }
            }
        }
    }

    /// Reads the next window. Returns whether it was the last one.
    async fn read_on(&mut self) -> Result<bool, Ended> {
        let (orders, criteria) = match &self.interest {
            Interest::Order(order) => (Some(vec![order.clone()]), Vec::new()),
            Interest::Matching(criteria) => (None, vec![criteria.as_ref().clone()]),
        };
        let all_count = criteria.is_empty();
        let window = read(&self.hub.pool, self.through, &Watched { orders, criteria }).await?;
        self.ready.extend(window.changes.into_iter().filter(|change| all_count || !change.meets.is_empty()));
        self.through = window.through;
        Ok(window.is_last)
    }
}
