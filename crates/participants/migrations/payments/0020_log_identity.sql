-- Which log a checkpoint is of: the log's identity, and the id of an event that stands at or before the position.
ALTER TABLE participant_payments.request_checkpoints
    ADD COLUMN log_id uuid, ADD COLUMN mark_position bigint, ADD COLUMN mark_prepare bigint, ADD COLUMN mark_event uuid;
