-- Operations that a second person has to approve, on one order or on many.
CREATE TABLE requests (
    id             text COLLATE "C" PRIMARY KEY,
    -- Null: a batch.
    order_id       text COLLATE "C",
    operation      text NOT NULL,
    step           text,
    details        jsonb NOT NULL,
    matches        bigint,
    requested_by   text NOT NULL,
    principal      text NOT NULL,
    reason         text NOT NULL,
    approver       text NOT NULL,
    previewed_at   bigint,
    requested_at   timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    state          text NOT NULL,
    settled_by     text,
    settled_reason text,
    settled_at     timestamptz
);
CREATE INDEX requests_waiting ON requests (requested_at, id) WHERE state = 'WAITING';
CREATE INDEX requests_of_order ON requests (order_id, requested_at) WHERE order_id IS NOT NULL;

-- The second person who approved what the actor asked for.
ALTER TABLE timeline ADD COLUMN approved_by text;
