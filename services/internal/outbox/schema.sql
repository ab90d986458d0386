-- The outbox: events that wait for Kafka. Copy into a service's first migration.
CREATE TABLE outbox (
    id           uuid        NOT NULL,
    topic        text        NOT NULL,
    key          text        NOT NULL,
    payload      jsonb       NOT NULL,
    traceparent  text        NOT NULL DEFAULT '',
    position     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    CONSTRAINT outbox_pkey PRIMARY KEY (id)
);
CREATE INDEX outbox_waiting ON outbox (position) WHERE published_at IS NULL;

-- One row a key, locked by each append: it numbers the key's events and makes
-- position follow commit order within a key.
CREATE TABLE outbox_sequences (
    key  text   NOT NULL,
    last bigint NOT NULL,
    CONSTRAINT outbox_sequences_pkey PRIMARY KEY (key)
) WITH (fillfactor = 70);
