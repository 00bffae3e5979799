-- Which log a checkpoint is of: the log's identity, and the id of an event that stands at or before the position. Null: written
-- before logs had an identity; the first role that starts compares what it can, and adds them.
ALTER TABLE checkpoints
    ADD COLUMN log_id uuid, ADD COLUMN mark_position bigint, ADD COLUMN mark_prepare bigint, ADD COLUMN mark_event uuid;
ALTER TABLE reply_checkpoints
    ADD COLUMN log_id uuid, ADD COLUMN mark_position bigint, ADD COLUMN mark_prepare bigint, ADD COLUMN mark_event uuid;
