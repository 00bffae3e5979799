//! The part of a batch's statement that keeps the counts of orders: what moved is taken from where it was counted, and added where it is now.
//!
//! Few rows of `order_counts` move with a batch, however many orders do. Each is looked up by its key, whatever Postgres thinks how many
//! there are: its planner would else read all of the table for a batch. One writer has the checkpoint, so no count moves in between.

/// Reads `before` (orders as they were) and `changed` (those that were written, as they are now).
macro_rules! counted {
    () => {
        "moves AS (
        SELECT coalesce(hour, '-infinity') AS hour, state, status, sum(orders) AS orders
        FROM (SELECT date_trunc('hour', placed_at, 'UTC') AS hour, state, status, 1 AS orders FROM changed
              UNION ALL
              SELECT date_trunc('hour', before.placed_at, 'UTC'), before.state, before.status, -1
              FROM before JOIN changed USING (id)) AS each
        GROUP BY GROUPING SETS ((hour, state, status), (state, status))
        HAVING sum(orders) <> 0
    ), counts AS MATERIALIZED (
        SELECT moves.hour, moves.state, moves.status, moves.orders + coalesce(known.orders, 0) AS orders, known.place
        FROM moves LEFT JOIN LATERAL (
            SELECT ctid AS place, orders FROM order_counts AS c
            WHERE c.hour = moves.hour AND c.state = moves.state AND c.status = moves.status OFFSET 0
        ) AS known ON true
    ), counted AS (
        INSERT INTO order_counts (hour, state, status, orders)
        SELECT hour, state, status, orders FROM counts WHERE orders > 0
        ON CONFLICT (hour, state, status) DO UPDATE SET orders = excluded.orders
    ), emptied AS (
        DELETE FROM order_counts WHERE ctid = ANY(ARRAY(SELECT place FROM counts WHERE orders <= 0))
    )"
    };
}
pub(crate) use counted;
