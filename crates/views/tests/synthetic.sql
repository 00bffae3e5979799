-- A year of a shop: as many orders as $1 says, placed evenly, under four versions of a definition, one after the other. Of the last
-- twentieth some go on; of the others, few are stuck or held. Some customers, units, attributes and participants are rare, some
-- frequent, some new or old.
SET maintenance_work_mem = '256MB';

CREATE TEMPORARY TABLE kept AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index WHERE indrelid IN ('orders'::regclass, 'steps'::regclass) AND NOT indisprimary;

DO $do$
DECLARE one record;
BEGIN
    FOR one IN SELECT * FROM kept LOOP EXECUTE 'DROP INDEX ' || one.name; END LOOP;
END $do$;

INSERT INTO orders (id, workflow, workflow_version, status, state, customer_id, currency, total, lines, attributes, stuck_reason,
                    placed_at, updated_at, ended_at, revision, position)
SELECT 'o' || lpad(n::text, 9, '0'),
       CASE WHEN n % 50 = 3 THEN 'order-parallel' ELSE 'order-fulfilment' END,
       1 + 4 * (n - 1) / $1,
       CASE state WHEN 'COMPLETED' THEN 'Shipped' WHEN 'CANCELED' THEN 'Canceled'
                  ELSE CASE WHEN n % 4 = 0 THEN 'BackOrdered' ELSE 'Placed' END END,
       state,
       CASE WHEN n % 21 = 0 THEN 'GUEST' ELSE 'C' || n * 7919 % 20000 END,
       'EUR',
       (n * 104729 % 100000) / 100.0,
       jsonb_build_array(
           jsonb_build_object('sku', 'S' || n * 31 % 5003, 'name', 'Queso', 'quantity', 12, 'unitPrice', '14.00'),
           jsonb_build_object('sku', CASE WHEN n % 5 = 0 THEN 'BAG' WHEN n > $1 * 0.97 THEN 'NEW' ELSE 'S' || n * 37 % 5003 END,
                              'quantity', 1, 'unitPrice', '0.20')),
       jsonb_build_object('channel', CASE n % 3 WHEN 0 THEN 'web' WHEN 1 THEN 'app' ELSE 'store' END,
                          'campaign', jsonb_build_object('code', 'K' || n / 1000))
           || CASE WHEN n % 2000 = 5 THEN '{"note": {"text": "ring twice"}}'::jsonb ELSE '{}' END,
       CASE WHEN state = 'STUCK' THEN CASE WHEN n % 3000 = 0 THEN 'the undo of charge failed: 409 Already settled'
                                           ELSE 'the undo of charge failed: 500' END END,
       placed_at, updated_at,
       CASE WHEN state IN ('COMPLETED', 'CANCELED') THEN updated_at END,
       12, n * 12
FROM (
    SELECT n,
           CASE WHEN n % 1000 = 0 THEN 'STUCK'
                WHEN n % 10000 = 7 THEN 'COMPENSATING'
                WHEN n % 5000 = 1 THEN 'PAUSED'
                WHEN n > $1 * 0.95 AND n % 10 < 4 THEN CASE n % 10 WHEN 3 THEN 'RUNNING' ELSE 'WAITING' END
                WHEN n % 25 = 2 THEN 'CANCELED'
                ELSE 'COMPLETED' END AS state,
           timestamptz '2025-01-01' + n * (interval '365 days' / $1) AS placed_at,
           timestamptz '2025-01-01' + n * (interval '365 days' / $1) + n * 61 % 240 * interval '1 hour' AS updated_at
    FROM generate_series(1, $1::bigint) AS n
) AS shop;

INSERT INTO steps (order_id, step, participant, status, attempts, started_at, since, due_at)
SELECT id, step.name,
       CASE WHEN step.name = 'ship' THEN CASE WHEN position % 24000 = 60 THEN 'courier' ELSE 'shipping' END
            WHEN position <= $1 * 12 * 0.04 THEN 'old-payments' ELSE 'payments' END,
       CASE WHEN step.name = 'charge' THEN 'COMPLETED'
            ELSE CASE state WHEN 'COMPLETED' THEN 'COMPLETED' WHEN 'CANCELED' THEN 'COMPENSATED' WHEN 'STUCK' THEN 'STUCK'
                            WHEN 'RUNNING' THEN CASE WHEN position % 7 = 0 THEN 'RETRYING' ELSE 'RUNNING' END
                            ELSE 'WAITING' END END,
       1, placed_at, updated_at,
       CASE WHEN step.name = 'ship' AND state IN ('RUNNING', 'WAITING', 'PAUSED') THEN updated_at + interval '1 h' END
FROM orders CROSS JOIN (VALUES ('charge'), ('ship')) AS step (name);

-- The open orders that are not held; one in twenty of them is late.
INSERT INTO expectations (order_id, expected_at, steps)
SELECT id, CASE WHEN position / 12 % 20 = 11 THEN updated_at + interval '1 h' ELSE timestamptz '9999-01-01' END, '{}'
FROM orders WHERE state IN ('RUNNING', 'WAITING');

DO $do$
DECLARE one record;
BEGIN
    FOR one IN SELECT * FROM kept LOOP EXECUTE one.definition; END LOOP;
END $do$;

DROP TABLE kept;
