-- How many orders of each definition are in each state. It moves with `orders` in one statement, and no row counts nothing.
CREATE TABLE workflow_counts (
    workflow text NOT NULL,
    version  integer NOT NULL,
    state    text NOT NULL,
    orders   bigint NOT NULL CHECK (orders > 0),
    PRIMARY KEY (workflow, version, state)
) WITH (fillfactor = 70);

INSERT INTO workflow_counts (workflow, version, state, orders)
SELECT workflow, workflow_version, state, count(*) FROM orders GROUP BY workflow, workflow_version, state;
