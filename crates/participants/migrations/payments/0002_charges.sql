-- One row an order, so that no order can be charged twice. A void row is a tombstone: the refund came before the charge.
CREATE TABLE participant_payments.charges (
    order_id    text PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('charged', 'refunded', 'void')),
    charge_id   uuid UNIQUE,
    amount      numeric CHECK (amount >= 0),
    currency    text CHECK (currency ~ '^[A-Z]{3}$'),
    charged_at  timestamptz,
    refund_id   uuid UNIQUE,
    refunded_at timestamptz,
    CHECK (state = 'void' OR num_nulls(charge_id, amount, currency, charged_at) = 0),
    CHECK (state <> 'refunded' OR num_nulls(refund_id, refunded_at) = 0)
);
