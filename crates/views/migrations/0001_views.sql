-- The views: what the log says, in the shape in which it is asked for. Every row of them is a pure function of the log.
--
-- Ids are compared byte by byte (COLLATE "C"): faster, and the same order on every machine, which paging relies on.
-- There are no foreign keys: one writer fills all of these in one transaction, and a rebuild fills them in any order.

CREATE TABLE orders (
    id               text COLLATE "C" PRIMARY KEY,
    workflow         text NOT NULL,
    workflow_version integer NOT NULL,
    status           text NOT NULL,
    state            text NOT NULL,
    customer_id      text NOT NULL,
    customer_name    text,
    customer_email   text,
    currency         text NOT NULL,
    total            numeric NOT NULL,
    lines            jsonb NOT NULL,
    ship_to          jsonb,
    attributes       jsonb NOT NULL,
    result           jsonb,
    stuck_reason     text,
    placed_at        timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    -- The last event that this row has in it.
    revision         bigint NOT NULL,
    position         bigint NOT NULL,
    -- Whether later events of this order are set aside (see `parked`), so that this row is behind the log.
    parked           boolean NOT NULL DEFAULT false
);

-- One for each sort, and one for each filter in the most usual sort.
CREATE INDEX orders_by_placed_at ON orders (placed_at, id);
CREATE INDEX orders_by_updated_at ON orders (updated_at, id);
CREATE INDEX orders_by_total ON orders (total, id);
CREATE INDEX orders_by_ended_at ON orders (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX orders_by_status ON orders (status, placed_at, id);
CREATE INDEX orders_by_state ON orders (state, placed_at, id);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at, id);
CREATE INDEX orders_by_workflow ON orders (workflow, workflow_version, placed_at, id);

-- The steps that something has happened to. Those that have not begun are known from the workflow.
CREATE TABLE steps (
    order_id        text COLLATE "C" NOT NULL,
    step            text NOT NULL,
    participant     text,
    action          text,
    mode            text,
    status          text NOT NULL,
    outcome         text,
    data            jsonb,
    attempts        integer NOT NULL,
    last_error      text,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    next_attempt_at timestamptz,
    PRIMARY KEY (order_id, step)
);

-- Every event of every order, as people and auditors read it.
CREATE TABLE timeline (
    order_id       text COLLATE "C" NOT NULL,
    revision       bigint NOT NULL,
    event_id       uuid NOT NULL,
    position       bigint NOT NULL,
    type           text NOT NULL,
    recorded_at    timestamptz NOT NULL,
    summary        text NOT NULL,
    step           text,
    actor          text,
    reason         text,
    data           jsonb NOT NULL,
    correlation_id text,
    causation_id   uuid,
    hash           text NOT NULL,
    PRIMARY KEY (order_id, revision)
);

-- Orders that somebody has to look at again, and when. An order that waits for nothing has no row.
CREATE TABLE todo (
    order_id text COLLATE "C" PRIMARY KEY,
    due_at   timestamptz NOT NULL,
    revision bigint NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX todo_by_due_at ON todo (due_at);

-- The definitions that orders follow. `outline` is what a reader of orders needs of a definition without parsing it.
CREATE TABLE workflows (
    name          text NOT NULL,
    version       integer NOT NULL,
    source        text NOT NULL,
    outline       jsonb NOT NULL,
    registered_at timestamptz NOT NULL,
    position      bigint NOT NULL,
    PRIMARY KEY (name, version)
);
