-- Every mail, and the outbox of those that go to a mail server. Without one a mail is settled where it lies.
CREATE TABLE participant_notifications.mails (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id      uuid NOT NULL UNIQUE,
    order_id        text NOT NULL,
    template        text NOT NULL,
    recipient       text NOT NULL,
    recipient_name  text,
    subject         text NOT NULL,
    body            text NOT NULL,
    queued_at       timestamptz NOT NULL DEFAULT now(),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text,
    settled_at      timestamptz,
    settlement      text CHECK (settlement IN ('mailbox', 'delivered', 'refused', 'given_up')),
    CHECK ((settled_at IS NULL) = (settlement IS NULL))
);
CREATE INDEX mails_due ON participant_notifications.mails (next_attempt_at) WHERE settled_at IS NULL;
CREATE INDEX mails_in_order ON participant_notifications.mails (order_id, id);
