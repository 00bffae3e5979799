-- The secrets that sign the tokens of callbacks. Not a view: command handlers make the first one, and an operator rotates it.
-- Lost secrets only make the callbacks of requests under way unusable.
CREATE TABLE callback_secrets (
    generation     bigint PRIMARY KEY,
    secret         bytea NOT NULL CHECK (length(secret) >= 32),
    created_at     timestamptz NOT NULL DEFAULT now(),
    -- Null: the newest. The others are accepted until then.
    accepted_until timestamptz
);

-- One is the newest.
CREATE UNIQUE INDEX callback_secrets_newest ON callback_secrets ((accepted_until IS NULL)) WHERE accepted_until IS NULL;
