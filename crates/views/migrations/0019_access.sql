-- The principal that placed the order. Null: callers were not authenticated.
ALTER TABLE orders ADD COLUMN placed_by text;
CREATE INDEX orders_by_placed_by ON orders (placed_by, placed_at, id) WHERE placed_by IS NOT NULL;
CREATE INDEX orders_by_placed_by_updated_at ON orders (placed_by, updated_at, id) WHERE placed_by IS NOT NULL;

-- The API keys. This is no view: it cannot be made from the log. The whole key is shown once, when it is created.
CREATE TABLE api_keys (
    -- The public part of the key.
    id           text PRIMARY KEY,
    -- The principal. Several keys may have one, so that a key can be replaced.
    name         text NOT NULL,
    roles        text[] NOT NULL,
    -- Whether its requests may name a person as the actor.
    on_behalf_of boolean NOT NULL DEFAULT false,
    -- SHA-256 of the secret part, which has 256 random bits.
    secret_hash  bytea NOT NULL CHECK (length(secret_hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- To the minute.
    last_used_at timestamptz
);
