-- no-transaction
-- The notes on an order.
CREATE INDEX CONCURRENTLY IF NOT EXISTS timeline_of_notes ON timeline (order_id, recorded_at) WHERE type = 'OrderNoted';
