-- How far this service has read the requests that come as events.
CREATE TABLE participant_shipping.request_checkpoints (
    name     text PRIMARY KEY,
    position bigint NOT NULL,
    prepare  bigint NOT NULL
);
