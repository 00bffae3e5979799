//! The checkpoint of the views, as the projector announces it. One connection of an instance
//! listens for all callers. It begins with the first caller.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::{OnceCell, watch};
use views::{Listening, channels, checkpoint};

/// The position of the views; `None`: they have no events, or the position is not known. A receiver
/// is notified of each change, and may also be notified without one.
pub(crate) type AnnouncedPosition = watch::Receiver<Option<u64>>;

/// The announced checkpoint of the views. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ViewPosition {
    pool: PgPool,
    announced: Arc<OnceCell<AnnouncedPosition>>,
}

impl ViewPosition {
    /// Of the views in this database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, announced: Arc::default() }
    }

    /// Listens from now on.
    pub async fn listen(&self) -> AnnouncedPosition {
        let begin = async || {
            let (moved, announced) = watch::channel(None);
            tokio::spawn(announce(self.pool.clone(), moved));
            announced
        };
        self.announced.get_or_init(begin).await.clone()
    }
}

/// Passes the position on, as long as a receiver exists.
async fn announce(pool: PgPool, moved: watch::Sender<Option<u64>>) {
    tokio::select! {
        () = moved.closed() => {}
        () = listen(&pool, &moved) => {}
    }
}

async fn listen(pool: &PgPool, moved: &watch::Sender<Option<u64>>) {
    let mut listening = Listening::to(channels::MOVED, pool.clone());
    loop {
        match listening.next().await.and_then(|position| position.parse().ok()) {
            Some(position) => drop(moved.send_replace(Some(position))),
            // Announcements may have been missed.
            None => read(pool, moved).await,
        }
    }
}

async fn read(pool: &PgPool, moved: &watch::Sender<Option<u64>>) {
    if let Ok(position) = checkpoint::announced(pool).await {
        moved.send_replace(position);
    }
}
