-- Where an order stood after each of its events. Null in rows from before these columns, until a rebuild of the timeline.
ALTER TABLE timeline ADD COLUMN state text, ADD COLUMN status text;

-- The call to a participant that the event ended, and how long it took. Null: it ended none, or none that says how fast the
-- participant is (the request was not sent, or the instance that sent it was gone).
ALTER TABLE timeline ADD COLUMN participant text, ADD COLUMN action text, ADD COLUMN took_ms bigint;
