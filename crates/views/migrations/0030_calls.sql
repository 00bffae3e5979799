-- no-transaction
-- The calls by time. Quantiles of a time range are read from this index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS timeline_of_calls ON timeline (recorded_at)
    INCLUDE (participant, step, action, type, took_ms) WHERE participant IS NOT NULL;
