-- One row an order. A row without details is a tombstone: the order was canceled before its creation arrived.
CREATE TABLE participant_orders.orders (
    order_id    text PRIMARY KEY,
    status      text NOT NULL,
    details     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    canceled_at timestamptz
);
