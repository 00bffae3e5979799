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
