-- When the present stage of a step began, and when something is due at it. Null in rows from before these columns, until the next event
-- of the step or a rebuild of the steps.
ALTER TABLE steps ADD COLUMN since timestamptz, ADD COLUMN due_at timestamptz;

-- Steps of a status, by how long they have it: "waiting for more than an hour".
DROP INDEX steps_by_status;
CREATE INDEX steps_by_status ON steps (status, step, since, order_id);

-- Steps by the moment at which something is due.
CREATE INDEX steps_by_due_at ON steps (due_at, order_id) WHERE due_at IS NOT NULL;
