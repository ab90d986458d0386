-- +goose Up

-- The lookup table of ways to pay. Rows are added by migrations alone.
CREATE TABLE payment_methods (
    id         uuid    NOT NULL,
    code       text    NOT NULL,
    name       text    NOT NULL,
    enabled    boolean NOT NULL,
    position   integer NOT NULL,
    CONSTRAINT payment_methods_pkey PRIMARY KEY (id),
    CONSTRAINT payment_methods_code_key UNIQUE (code)
);
INSERT INTO payment_methods (id, code, name, enabled, position)
VALUES ('01900000-0000-7000-8000-000000000001', 'card', 'Credit or debit card', true, 1);

-- Payment's own row of an order, made by whatever call or event comes first.
-- It is what every decision about the order's money locks. The amount is what
-- order.created said; until then only the means of payment are known.
CREATE TABLE payment_orders (
    order_id        uuid        NOT NULL,
    user_id         uuid,
    number          text        NOT NULL DEFAULT '',
    amount          bigint      NOT NULL DEFAULT 0,
    currency        text        NOT NULL DEFAULT '',
    state           text        NOT NULL,
    means_kind      text        NOT NULL DEFAULT '',
    means_token     text        NOT NULL DEFAULT '',
    means_customer  text        NOT NULL DEFAULT '',
    means_saved_id  uuid,
    placed_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- The queue of work at the provider: due_at is null when there is none.
    due_at          timestamptz,
    lease_id        uuid,
    leased_until    timestamptz,
    tries           integer     NOT NULL DEFAULT 0,
    nudges          bigint      NOT NULL DEFAULT 0,
    last_error      text        NOT NULL DEFAULT '',
    CONSTRAINT payment_orders_pkey PRIMARY KEY (order_id),
    CONSTRAINT payment_orders_state_known
        CHECK (state IN ('prepared', 'open', 'closing', 'voiding', 'closed', 'cancelled')),
    CONSTRAINT payment_orders_amount_range CHECK (amount BETWEEN 0 AND 9007199254740991)
) WITH (fillfactor = 60);
CREATE INDEX payment_orders_due ON payment_orders (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payment_orders_user ON payment_orders (user_id);

-- The log: one row an attempt to pay an order.
CREATE TABLE transactions (
    id                  uuid        NOT NULL,
    order_id            uuid        NOT NULL,
    user_id             uuid        NOT NULL,
    number              text        NOT NULL,
    attempt             integer     NOT NULL,
    payment_method_id   uuid        NOT NULL,
    saved_method_id     uuid,
    amount              bigint      NOT NULL,
    refunded_amount     bigint      NOT NULL DEFAULT 0,
    currency            text        NOT NULL,
    status              text        NOT NULL,
    failure_code        text        NOT NULL DEFAULT '',
    next_action         jsonb,
    surplus             boolean     NOT NULL DEFAULT false,
    provider_payment_id text,
    idempotency_key     text        NOT NULL,
    -- What is known of the intent at the provider, and what it needs to be
    -- confirmed; the method is forgotten once the attempt has ended.
    intent              text        NOT NULL,
    method_token        text        NOT NULL DEFAULT '',
    method_customer     text        NOT NULL DEFAULT '',
    version             bigint      NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT transactions_pkey PRIMARY KEY (id),
    CONSTRAINT transactions_attempt_key UNIQUE (order_id, attempt),
    CONSTRAINT transactions_provider_payment_key UNIQUE (provider_payment_id),
    CONSTRAINT transactions_idempotency_key UNIQUE (idempotency_key),
    CONSTRAINT transactions_order_fkey FOREIGN KEY (order_id) REFERENCES payment_orders (order_id),
    CONSTRAINT transactions_payment_method_fkey FOREIGN KEY (payment_method_id) REFERENCES payment_methods (id),
    CONSTRAINT transactions_amount_positive CHECK (amount > 0),
    CONSTRAINT transactions_refund_bounds CHECK (refunded_amount BETWEEN 0 AND amount),
    CONSTRAINT transactions_status_known CHECK (status IN
        ('initiated', 'requires_action', 'captured', 'failed', 'voided', 'partially_refunded', 'refunded'))
);
-- The last line of defence for "one open attempt an order" and "one capture
-- stands": the domain refuses both before the database has to.
CREATE UNIQUE INDEX transactions_one_open ON transactions (order_id) WHERE status IN ('initiated', 'requires_action');
CREATE UNIQUE INDEX transactions_one_capture ON transactions (order_id)
    WHERE status IN ('captured', 'partially_refunded', 'refunded') AND NOT surplus;
CREATE INDEX transactions_user ON transactions (user_id, id);

-- A refund is a row under the order's lock before it is a call.
CREATE TABLE refunds (
    id                 uuid        NOT NULL,
    order_id           uuid        NOT NULL,
    transaction_id     uuid        NOT NULL,
    kind               text        NOT NULL,
    amount             bigint      NOT NULL,
    currency           text        NOT NULL,
    reason             text        NOT NULL DEFAULT '',
    requested_by       uuid,
    status             text        NOT NULL,
    failure_code       text        NOT NULL DEFAULT '',
    provider_refund_id text,
    version            bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT refunds_pkey PRIMARY KEY (id),
    CONSTRAINT refunds_transaction_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id),
    CONSTRAINT refunds_order_fkey FOREIGN KEY (order_id) REFERENCES payment_orders (order_id),
    CONSTRAINT refunds_provider_refund_key UNIQUE (provider_refund_id),
    CONSTRAINT refunds_amount_positive CHECK (amount > 0),
    CONSTRAINT refunds_kind_known CHECK (kind IN ('staff', 'cancellation', 'surplus')),
    CONSTRAINT refunds_status_known CHECK (status IN ('requested', 'pending', 'succeeded', 'doubted', 'failed'))
);
-- What the shop owes back on its own account exists once.
CREATE UNIQUE INDEX refunds_cancellation_once ON refunds (transaction_id) WHERE kind <> 'staff';
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_status ON refunds (status, id);

CREATE TABLE user_saved_payment_methods (
    id                 uuid        NOT NULL,
    user_id            uuid        NOT NULL,
    payment_method_id  uuid        NOT NULL,
    provider_method_id text        NOT NULL,
    brand              text        NOT NULL,
    last4              text        NOT NULL,
    exp_month          integer     NOT NULL,
    exp_year           integer     NOT NULL,
    is_default         boolean     NOT NULL,
    version            bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT user_saved_payment_methods_pkey PRIMARY KEY (id),
    CONSTRAINT user_saved_payment_methods_provider_key UNIQUE (user_id, provider_method_id),
    CONSTRAINT user_saved_payment_methods_method_fkey FOREIGN KEY (payment_method_id) REFERENCES payment_methods (id),
    CONSTRAINT user_saved_payment_methods_last4_digits CHECK (last4 ~ '^[0-9]{4}$')
);
CREATE UNIQUE INDEX user_saved_payment_methods_one_default ON user_saved_payment_methods (user_id) WHERE is_default;
CREATE INDEX user_saved_payment_methods_user ON user_saved_payment_methods (user_id, id);

-- The provider's customer that a user's saved methods are attached to.
CREATE TABLE provider_customers (
    user_id              uuid NOT NULL,
    provider_customer_id text NOT NULL,
    CONSTRAINT provider_customers_pkey PRIMARY KEY (user_id)
);

-- Methods that wait to be detached at the provider.
CREATE TABLE method_detachments (
    provider_method_id text        NOT NULL,
    due_at             timestamptz NOT NULL DEFAULT now(),
    tries              integer     NOT NULL DEFAULT 0,
    CONSTRAINT method_detachments_pkey PRIMARY KEY (provider_method_id)
);

-- The provider's notifications that have been taken in.
CREATE TABLE webhook_events (
    id          text        NOT NULL,
    type        text        NOT NULL,
    object_id   text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_events_pkey PRIMARY KEY (id)
);

-- Bare ids of erased people, kept so that nothing is made for them again.
CREATE TABLE erased_users (
    user_id   uuid        NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT erased_users_pkey PRIMARY KEY (user_id)
);

-- The outbox: events that wait for Kafka.
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

-- The inbox: events that have taken effect.
CREATE TABLE inbox (
    event_id    text        NOT NULL,
    consumer    text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (event_id, consumer)
);

-- Answers kept for idempotency keys.
CREATE TABLE idempotency_keys (
    user_id      uuid        NOT NULL,
    route        text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    lease_until  timestamptz,
    status       integer,
    headers      jsonb,
    body         bytea,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- +goose Down
DROP TABLE idempotency_keys, inbox, outbox_sequences, outbox;
DROP TABLE erased_users, webhook_events, method_detachments, provider_customers;
DROP TABLE user_saved_payment_methods, refunds, transactions, payment_orders, payment_methods;
