//! How far the views have come: heard, not asked for. The projector announces each step of theirs; one connection an instance listens
//! to it, whoever waits for what. It begins with the first who does.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::{OnceCell, watch};
use views::{Listening, channels, checkpoint};

/// The position that the views have; `None`: they have nothing, or it is not known. Whoever holds it is told of each move, and
/// now and then of one that was none.
pub(crate) type Heard = watch::Receiver<Option<u64>>;

/// Where to listen. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ViewPosition {
    pool: PgPool,
    heard: Arc<OnceCell<Heard>>,
}

impl ViewPosition {
    /// Those of the views in that database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, heard: Arc::default() }
    }

    /// Listens from now on.
    pub async fn listen(&self) -> Heard {
        let begin = async || {
            let (moved, heard) = watch::channel(None);
            tokio::spawn(announce(self.pool.clone(), moved));
            heard
        };
        self.heard.get_or_init(begin).await.clone()
    }
}

/// Passes on how far the views have come, until nobody listens.
async fn announce(pool: PgPool, moved: watch::Sender<Option<u64>>) {
    tokio::select! {
        () = moved.closed() => {}
        () = hear(&pool, &moved) => {}
    }
}

async fn hear(pool: &PgPool, moved: &watch::Sender<Option<u64>>) {
    let mut listening = Listening::to(channels::MOVED, pool.clone());
    loop {
        match listening.next().await.and_then(|position| position.parse().ok()) {
            Some(position) => drop(moved.send_replace(Some(position))),
            // What happened meanwhile is seen now.
            None => look(pool, moved).await,
        }
    }
}

async fn look(pool: &PgPool, moved: &watch::Sender<Option<u64>>) {
    if let Ok(position) = checkpoint::announced(pool).await {
        moved.send_replace(position);
    }
}
