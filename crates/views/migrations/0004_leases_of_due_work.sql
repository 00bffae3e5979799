-- A lease is of one piece of due work, not of an order for a time: once that is done, which a later revision of the order shows, what
-- is due next is nobody's yet. Command handlers from before this know nothing of it; their leases last as long as they say.
ALTER TABLE leases ADD COLUMN revision bigint NOT NULL DEFAULT 9223372036854775807;
