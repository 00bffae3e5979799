-- Why the workflow's `result` gave nothing, and which placeholders in a result stand for personal data. Null: the result has a
-- value; and every placeholder does.
ALTER TABLE orders ADD COLUMN result_error text, ADD COLUMN result_placeholders jsonb;

-- Orders that ended before this column: their last event has both.
UPDATE orders
SET result_error = data ->> 'resultError', result_placeholders = data -> 'placeholders'
FROM timeline
WHERE order_id = id AND timeline.revision = orders.revision AND type = 'OrderCompleted'
    AND (data ? 'resultError' OR data ? 'placeholders');

UPDATE timeline
SET summary = 'The order is completed; its result has no value: ' || (data ->> 'resultError')
WHERE type = 'OrderCompleted' AND data ? 'resultError';
