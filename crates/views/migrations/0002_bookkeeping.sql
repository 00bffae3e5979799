-- What the projector and the command handler keep for themselves.

-- How far a set of views has come. Moves in the same transaction as the views.
CREATE TABLE checkpoints (
    name          text PRIMARY KEY,
    position      bigint NOT NULL,
    prepare       bigint NOT NULL,
    -- When the last event handled was recorded.
    last_event_at timestamptz
);

-- Events that cannot be projected, each with the reason. Later events of the same order are here too, because what comes
-- before them is missing. Data and metadata are kept as the bytes they are: they may be anything.
CREATE TABLE parked (
    position    bigint NOT NULL,
    revision    bigint NOT NULL,
    stream      text NOT NULL,
    event_id    uuid NOT NULL,
    type        text NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason      text NOT NULL,
    data        bytea NOT NULL,
    metadata    bytea NOT NULL,
    PRIMARY KEY (position, revision)
);
-- A hash index takes names of any length.
CREATE INDEX parked_by_stream ON parked USING hash (stream);

-- Which command handler drives which order, and until when. Not a view: only command handlers write it. A lease that is lost
-- costs a conflict, which is decided in the log, so the table is spared the write-ahead log.
CREATE UNLOGGED TABLE leases (
    order_id text COLLATE "C" PRIMARY KEY,
    owner    text NOT NULL,
    until    timestamptz NOT NULL
);
