-- The steps that wait for a person, the longest waiting first.
CREATE INDEX steps_awaiting ON steps (started_at, order_id, step) WHERE mode = 'AWAIT' AND status = 'WAITING';
