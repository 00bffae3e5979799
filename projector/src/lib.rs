//! Projects the log into Postgres views, and owns their schema.
