-- Which log a checkpoint is of: the log's identity, and the id of an event that stands at or before the position. Null: written
-- before logs had an identity; the first role that starts compares what it can, and adds them.
ALTER TABLE checkpoints
    ADD COLUMN log_id uuid, ADD COLUMN mark_position bigint, ADD COLUMN mark_prepare bigint, ADD COLUMN mark_event uuid;
ALTER TABLE reply_checkpoints
    ADD COLUMN log_id uuid, ADD COLUMN mark_position bigint, ADD COLUMN mark_prepare bigint, ADD COLUMN mark_event uuid;

-- Keys that an import brought back for customers who had got another key meanwhile. They only open what they once sealed.
CREATE TABLE retired_customer_keys (
    id           uuid PRIMARY KEY,
    customer_id  text NOT NULL,
    secret       bytea CHECK (length(secret) = 32),
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((secret IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE INDEX retired_customer_keys_of_customer ON retired_customer_keys (customer_id);

-- Every key there is, or was.
CREATE VIEW all_customer_keys AS
SELECT id, customer_id, secret, created_at, destroyed_at FROM customer_keys
UNION ALL
SELECT id, customer_id, secret, created_at, destroyed_at FROM retired_customer_keys;
