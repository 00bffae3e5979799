-- How long steps and orders took, by workflow version, as histograms in which earlier samples count less. STEP: a step from its beginning
-- to its end. REST: an order from the beginning of a step to its end; without a step, the whole order. `position` is that of the last sample.
-- `p50_ms` and `p95_ms` are null while there are too few samples.
CREATE TABLE estimates (
    workflow  text COLLATE "C" NOT NULL,
    step      text COLLATE "C" NOT NULL,
    part      text NOT NULL,
    version   integer NOT NULL,
    samples   bigint NOT NULL,
    p50_ms    bigint,
    p95_ms    bigint,
    histogram bytea NOT NULL,
    position  bigint NOT NULL,
    PRIMARY KEY (workflow, step, part, version)
) WITH (fillfactor = 50);

-- When open orders are expected to end, and their open steps, by step. An order of which nothing is expected has no row.
CREATE TABLE expectations (
    order_id    text COLLATE "C" PRIMARY KEY,
    expected_at timestamptz,
    steps       jsonb NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX expectations_by_expected_at ON expectations (expected_at) WHERE expected_at IS NOT NULL;
