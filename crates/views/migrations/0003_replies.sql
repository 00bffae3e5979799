-- How far the replies of participants that are reached by events have been taken. Not a view: only command handlers write it.
-- Replies after it are read again, which changes nothing.
CREATE TABLE reply_checkpoints (
    name     text PRIMARY KEY,
    position bigint NOT NULL,
    prepare  bigint NOT NULL
);
