//! The parts of a batch's statement that keep the counts of orders: each order that changed is
//! subtracted from its earlier count and added to its present one.
//!
//! A batch changes few rows of these views, whatever the number of its orders. Each is looked up by
//! its key, because the planner would otherwise read the whole table for each batch. Only one
//! writer has the checkpoint, so no count changes in between.

/// Counts by hour, state and status. Reads `before` (the orders as they were) and `changed` (the
/// rows that were written).
pub(super) const COUNTED: &str = "moves AS (
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
    )";

/// Counts by definition and state, from the same rows.
pub(super) const COUNTED_BY_WORKFLOW: &str = "workflow_moves AS (
        SELECT workflow, version, state, sum(orders) AS orders
        FROM (SELECT workflow, workflow_version AS version, state, 1 AS orders FROM changed
              UNION ALL
              SELECT before.workflow, before.workflow_version, before.state, -1
              FROM before JOIN changed USING (id)) AS each
        GROUP BY workflow, version, state
        HAVING sum(orders) <> 0
    ), workflow_counts_now AS MATERIALIZED (
        SELECT moves.workflow, moves.version, moves.state, moves.orders + coalesce(known.orders, 0) AS orders,
               known.place
        FROM workflow_moves AS moves LEFT JOIN LATERAL (
            SELECT ctid AS place, orders FROM workflow_counts AS c
            WHERE c.workflow = moves.workflow AND c.version = moves.version AND c.state = moves.state OFFSET 0
        ) AS known ON true
    ), workflow_counted AS (
        INSERT INTO workflow_counts (workflow, version, state, orders)
        SELECT workflow, version, state, orders FROM workflow_counts_now WHERE orders > 0
        ON CONFLICT (workflow, version, state) DO UPDATE SET orders = excluded.orders
    ), workflow_emptied AS (
        DELETE FROM workflow_counts WHERE ctid = ANY(ARRAY(SELECT place FROM workflow_counts_now WHERE orders <= 0))
    )";
