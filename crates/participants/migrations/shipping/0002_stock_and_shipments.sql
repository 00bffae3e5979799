-- What lies on the shelves, and how much of it is promised to orders that have not left yet.
-- Byte order, so that everybody locks the rows in one order, whatever the database's collation.
CREATE TABLE participant_shipping.stock (
    sku      text COLLATE "C" PRIMARY KEY,
    on_hand  bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    CHECK (reserved <= on_hand)
);

-- One row an order. A void row is a tombstone: the shipment was canceled before its request arrived.
CREATE TABLE participant_shipping.shipments (
    order_id     text PRIMARY KEY,
    state        text NOT NULL CHECK (state IN ('reserved', 'shipped', 'backordered', 'out_of_stock', 'canceled', 'void')),
    -- Place in the queue of back-orders.
    request_no   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    callback_url text,
    traceparent  text,
    requested_at timestamptz NOT NULL DEFAULT now(),
    -- When a reserved order is due to leave.
    dispatch_at  timestamptz,
    shipped_at   timestamptz,
    tracking     text
);
CREATE INDEX shipments_to_dispatch ON participant_shipping.shipments (dispatch_at) WHERE state = 'reserved';
CREATE INDEX shipments_waiting ON participant_shipping.shipments (request_no) WHERE state = 'backordered';

CREATE TABLE participant_shipping.shipment_lines (
    order_id text NOT NULL REFERENCES participant_shipping.shipments,
    sku      text COLLATE "C" NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, sku)
);

-- Answers given later, to the callback of their request: an outbox, emptied by the delivery worker.
CREATE TABLE participant_shipping.answers (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id        text NOT NULL,
    callback_url    text NOT NULL,
    idempotency_key uuid NOT NULL DEFAULT gen_random_uuid(),
    traceparent     text,
    body            text NOT NULL,
    queued_at       timestamptz NOT NULL DEFAULT now(),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text,
    settled_at      timestamptz,
    settlement      text CHECK (settlement IN ('delivered', 'refused', 'given_up')),
    CHECK ((settled_at IS NULL) = (settlement IS NULL))
);
CREATE INDEX answers_due ON participant_shipping.answers (next_attempt_at) WHERE settled_at IS NULL;
CREATE INDEX answers_in_order ON participant_shipping.answers (order_id, id);
