-- The webhooks of the shop's systems: a view of the streams `webhook-{id}`. A deleted one keeps its row.
CREATE TABLE webhooks (
    id                   text COLLATE "C" PRIMARY KEY,
    url                  text NOT NULL,
    events               text[] NOT NULL,
    -- Only orders of this workflow, and only those that this principal placed. Null: of each.
    workflow             text,
    placed_by            text,
    description          text,
    -- ENABLED, DISABLED or DELETED.
    state                text NOT NULL,
    disabled_because     text,
    created_at           timestamptz NOT NULL,
    enabled_at           timestamptz NOT NULL,
    secret_at            timestamptz NOT NULL,
    earlier_secret_until timestamptz,
    -- The last event that this row has in it.
    revision             bigint NOT NULL,
    position             bigint NOT NULL
);

-- Notifications that were given up. One that is replayed keeps its row, and is given up again with a later position.
CREATE TABLE webhook_dead_letters (
    webhook_id     text COLLATE "C" NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    order_revision bigint NOT NULL,
    type           text NOT NULL,
    attempts       integer NOT NULL,
    error          text NOT NULL,
    given_up_at    timestamptz NOT NULL,
    replayed_at    timestamptz,
    position       bigint NOT NULL,
    PRIMARY KEY (webhook_id, order_id, order_revision, type)
);
CREATE INDEX webhook_dead_letters_by_position ON webhook_dead_letters (webhook_id, position) WHERE replayed_at IS NULL;

-- The secrets that sign notifications. Not a view: they are nowhere else, wrapped by the master key if there is one. A lost secret
-- has to be rotated, and the new one given to the receiver.
CREATE TABLE webhook_secrets (
    webhook_id uuid NOT NULL,
    generation bigint NOT NULL,
    secret     bytea NOT NULL,
    -- Null: the newest. The others sign until then.
    signs_until timestamptz,
    PRIMARY KEY (webhook_id, generation)
);
CREATE UNIQUE INDEX webhook_secrets_newest ON webhook_secrets (webhook_id) WHERE signs_until IS NULL;

-- How far each webhook's notifications are delivered, or in webhook_deliveries. Not a view: only command handlers write it. If it is
-- lost, notifications are sent again from the webhook's creation on.
CREATE TABLE webhook_checkpoints (
    name          text PRIMARY KEY,
    position      bigint NOT NULL,
    prepare       bigint NOT NULL,
    log_id        uuid,
    mark_position bigint,
    mark_prepare  bigint,
    mark_event    uuid
);

-- Notifications that the checkpoint has passed and that are not delivered. There are few of each webhook, and they are not a view.
CREATE TABLE webhook_deliveries (
    webhook_id     text COLLATE "C" NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    order_revision bigint NOT NULL,
    type           text NOT NULL,
    attempts       integer NOT NULL DEFAULT 0,
    -- Null: not tried yet.
    first_at       timestamptz,
    next_at        timestamptz,
    error          text,
    -- Whether the instance that delivers has not taken it yet: an administrator replays it.
    is_new         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (webhook_id, order_id, order_revision, type)
);
CREATE INDEX webhook_deliveries_new ON webhook_deliveries (webhook_id) WHERE is_new;
