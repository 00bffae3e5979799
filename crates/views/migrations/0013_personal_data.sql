-- Personal data that take a key to be read, {"key": id, "text": base64}: they are in no view as they are. What stands in
-- customer_name, customer_email and ship_to of such an order points at nobody (null, or a country). Orders of before have them there.
ALTER TABLE orders ADD COLUMN sealed jsonb;

-- The keys. This is no view: it cannot be made anew from the log, and what it loses is lost. To erase a customer's data is to destroy
-- the customer's keys; the row stays, and says when that was. A customer who comes back gets another one.
CREATE TABLE customer_keys (
    id           uuid PRIMARY KEY,
    customer_id  text NOT NULL,
    -- AES-256-GCM. Null: destroyed.
    secret       bytea CHECK (length(secret) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((secret IS NULL) = (destroyed_at IS NOT NULL))
);

-- One in use for each customer.
CREATE UNIQUE INDEX customer_keys_in_use ON customer_keys (customer_id) WHERE secret IS NOT NULL;
CREATE INDEX customer_keys_of_customer ON customer_keys (customer_id);
