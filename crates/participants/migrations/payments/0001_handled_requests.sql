-- Every request this service has handled, by its idempotency key, with the answer it got: written in the transaction of
-- the effect, so that a key is here exactly when its effect is.
CREATE TABLE participant_payments.handled_requests (
    key            text PRIMARY KEY,
    action         text NOT NULL,
    -- SHA-256 of the content's canonical JSON: the same key with other content is a mistake of the caller.
    content_digest bytea NOT NULL,
    -- The answer. Null only inside the transaction that is performing the request.
    status         smallint,
    body           text,
    repeats        bigint NOT NULL DEFAULT 0,
    handled_at     timestamptz NOT NULL DEFAULT now()
);
