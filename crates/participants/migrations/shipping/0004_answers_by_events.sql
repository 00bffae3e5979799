-- A request that came as an event is answered in the stream of replies: the request's id and step stand in place of a callback.
ALTER TABLE participant_shipping.shipments ADD COLUMN request_id uuid, ADD COLUMN step text;
ALTER TABLE participant_shipping.answers
    ALTER COLUMN callback_url DROP NOT NULL,
    ADD COLUMN request_id uuid,
    ADD COLUMN step text,
    ADD CHECK (num_nonnulls(callback_url, request_id) = 1 AND num_nulls(request_id, step) <> 1);
