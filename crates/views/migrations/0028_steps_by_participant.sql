-- no-transaction
-- The orders that have a step of a participant.
CREATE INDEX CONCURRENTLY IF NOT EXISTS steps_by_participant ON steps (participant, order_id) WHERE participant IS NOT NULL;
