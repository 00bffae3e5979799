-- no-transaction
-- `orders_by_end` has the same keys.
DROP INDEX CONCURRENTLY IF EXISTS orders_by_ended_at;
