//! A checkpoint in a table of its owner's.

use event_store::client::Position;
use sqlx::PgConnection;

/// The statements on a checkpoint's row. The table has the columns `name text PRIMARY KEY`, `position bigint NOT NULL` and
/// `prepare bigint NOT NULL`; see [`bookmark_in`](crate::bookmark_in).
#[derive(Debug, Clone, Copy)]
pub struct Bookmark {
    /// The row.
    pub name: &'static str,
    /// Reads it: `$1` the name.
    pub read: &'static str,
    /// Writes it: `$1` the name, `$2` the position, `$3` the prepare position.
    pub write: &'static str,
}

/// The [`Bookmark`] of that name in a table.
#[macro_export]
macro_rules! bookmark_in {
    ($table:literal, $name:expr) => {
        $crate::Bookmark {
            name: $name,
            read: concat!("SELECT position, prepare FROM ", $table, " WHERE name = $1"),
            write: concat!(
                "INSERT INTO ",
                $table,
                " (name, position, prepare) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET position = excluded.position, prepare = excluded.prepare"
            ),
        }
    };
}

impl Bookmark {
    pub(crate) async fn read(&self, db: &mut PgConnection) -> Result<Option<Position>, sqlx::Error> {
        let row: Option<(i64, i64)> = sqlx::query_as(self.read).bind(self.name).fetch_optional(db).await?;
        Ok(row.map(|(commit, prepare)| Position { commit: commit.cast_unsigned(), prepare: prepare.cast_unsigned() }))
    }

    pub(crate) async fn write(&self, db: &mut PgConnection, at: Position) -> Result<(), sqlx::Error> {
        sqlx::query(self.write)
            .bind(self.name)
            .bind(at.commit.cast_signed())
            .bind(at.prepare.cast_signed())
            .execute(db)
            .await
            .map(drop)
    }
}
