-- A key as it is (32 bytes), or wrapped by a master key that the database does not have: version, id of the master key, nonce, the
-- encrypted key and its tag (69 bytes).
ALTER TABLE customer_keys
    DROP CONSTRAINT customer_keys_secret_check,
    ADD CONSTRAINT customer_keys_secret_check CHECK (length(secret) IN (32, 69));
ALTER TABLE retired_customer_keys
    DROP CONSTRAINT retired_customer_keys_secret_check,
    ADD CONSTRAINT retired_customer_keys_secret_check CHECK (length(secret) IN (32, 69));
