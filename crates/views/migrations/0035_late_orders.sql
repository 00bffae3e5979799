-- The open orders of which each webhook was notified that they are late. Not a view: only command handlers write it. If it is lost, a
-- webhook is notified again of orders that are late then.
CREATE TABLE webhook_late_orders (
    webhook_id text COLLATE "C" NOT NULL,
    order_id   text COLLATE "C" NOT NULL,
    PRIMARY KEY (webhook_id, order_id)
);
