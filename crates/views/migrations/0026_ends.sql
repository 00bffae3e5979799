-- no-transaction
-- The orders by their end. Figures of a time range are read from this index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_end ON orders (ended_at, id)
    INCLUDE (workflow, state, status, placed_at, placed_by) WHERE ended_at IS NOT NULL;
