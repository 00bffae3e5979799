-- What search needs. An index costs something with every event of an order, whatever it is on: rows move when `updated_at` does. So
-- there is none for each filter in each sort. Where an order stands, and which definition it follows, go with the time (old ones
-- are long completed, and of an old version), so that what meets such a filter can be far from where a sort by time begins: these
-- have their orders in each of the three times. Everything else is either few orders, which are collected and sorted, or many,
-- which are met with soon in any sort.

-- One for state and status together: there are few of each, so that what meets one of them is merged from a few ranges.
DROP INDEX orders_by_status;
DROP INDEX orders_by_state;
CREATE INDEX orders_by_standing_placed_at ON orders (state, status, placed_at, id);
CREATE INDEX orders_by_standing_updated_at ON orders (state, status, updated_at, id);
CREATE INDEX orders_by_standing_ended_at ON orders (state, status, ended_at, id) WHERE ended_at IS NOT NULL;

CREATE INDEX orders_by_workflow_updated_at ON orders (workflow, workflow_version, updated_at, id);
CREATE INDEX orders_by_workflow_ended_at ON orders (workflow, workflow_version, ended_at, id) WHERE ended_at IS NOT NULL;

-- Few orders are stuck, and all of their reasons are soon read.
CREATE INDEX orders_by_stuck_reason ON orders (updated_at, id) WHERE stuck_reason IS NOT NULL;

-- What was ordered, and the shop's own words. Not gathered in a list of its own first, which each search would have to read.
CREATE INDEX orders_by_content ON orders USING gin (jsonb_path_query_array(lines, '$[*].sku'), attributes)
    WITH (fastupdate = off);

CREATE INDEX steps_by_status ON steps (status, step, order_id);

-- How many orders there are of each state and status: of those that were placed in each hour (of UTC), and, under the hour
-- `-infinity`, of all. It moves with `orders` in one statement, and no row counts nothing.
CREATE TABLE order_counts (
    hour   timestamptz NOT NULL,
    state  text NOT NULL,
    status text NOT NULL,
    orders bigint NOT NULL CHECK (orders > 0),
    PRIMARY KEY (hour, state, status)
) WITH (fillfactor = 70);

INSERT INTO order_counts (hour, state, status, orders)
SELECT coalesce(hour, '-infinity'), state, status, count(*)
FROM (SELECT date_trunc('hour', placed_at, 'UTC') AS hour, state, status FROM orders) AS orders
GROUP BY GROUPING SETS ((hour, state, status), (state, status));
