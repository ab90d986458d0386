-- +goose Up

-- Orders. The address columns are snapshots, null once the person was removed;
-- money holds what is known of each attempt to pay, and payment_due_at is when
-- to ask Payment how it ended.
CREATE TABLE orders (
    id                  uuid        NOT NULL,
    number              text        NOT NULL,
    user_id             uuid        NOT NULL,
    status              text        NOT NULL,
    payment_status      text        NOT NULL,
    stock_status        text        NOT NULL,
    reason              text        NOT NULL DEFAULT '',
    subtotal_amount     bigint      NOT NULL,
    shipping_amount     bigint      NOT NULL,
    tax_amount          bigint      NOT NULL,
    discount_amount     bigint      NOT NULL,
    total_amount        bigint      NOT NULL,
    captured_amount     bigint      NOT NULL DEFAULT 0,
    refunded_amount     bigint      NOT NULL DEFAULT 0,
    currency            text        NOT NULL,
    money               jsonb       NOT NULL DEFAULT '[]',
    payment_attempt     integer     NOT NULL DEFAULT 0,
    pay_by              timestamptz NOT NULL,
    payment_due_at      timestamptz,
    shipping_address_id uuid        NOT NULL,
    billing_address_id  uuid        NOT NULL,
    shipping_address    jsonb,
    billing_address     jsonb,
    erased              boolean     NOT NULL DEFAULT false,
    carrier             text        NOT NULL DEFAULT '',
    tracking_number     text        NOT NULL DEFAULT '',
    history_length      integer     NOT NULL,
    version             bigint      NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_number_key UNIQUE (number),
    CONSTRAINT orders_status_known CHECK (status IN ('created', 'confirmed', 'shipped', 'delivered', 'cancelled')),
    CONSTRAINT orders_payment_status_known CHECK (payment_status IN
        ('pending', 'requires_action', 'failed', 'captured', 'partially_refunded', 'refunded', 'voided')),
    CONSTRAINT orders_stock_status_known CHECK (stock_status IN ('held', 'reserved', 'rejected', 'released', 'shipped')),
    CONSTRAINT orders_reason_of_cancelled CHECK ((status = 'cancelled') = (reason <> '')),
    CONSTRAINT orders_reason_known CHECK (reason IN ('', 'customer', 'staff', 'unpaid', 'out_of_stock', 'erased')),
    CONSTRAINT orders_cancelled_holds_nothing CHECK (status <> 'cancelled' OR stock_status IN ('rejected', 'released')),
    CONSTRAINT orders_amounts_not_negative CHECK (least(subtotal_amount, shipping_amount, tax_amount, discount_amount,
        total_amount, captured_amount, refunded_amount) >= 0),
    CONSTRAINT orders_totals_add_up CHECK (subtotal_amount + shipping_amount + tax_amount - discount_amount = total_amount)
);
CREATE INDEX orders_of_user ON orders (user_id, id DESC);
CREATE INDEX orders_by_status ON orders (status, id DESC);
CREATE INDEX orders_payment_due ON orders (payment_due_at) WHERE payment_due_at IS NOT NULL;

CREATE TABLE order_items (
    order_id          uuid    NOT NULL,
    position          integer NOT NULL,
    product_id        uuid    NOT NULL,
    sku               text    NOT NULL,
    name              text    NOT NULL,
    tax_class         text    NOT NULL,
    quantity          bigint  NOT NULL,
    unit_price_amount bigint  NOT NULL,
    line_total_amount bigint  NOT NULL,
    CONSTRAINT order_items_pkey PRIMARY KEY (order_id, position),
    CONSTRAINT order_items_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT order_items_product_once UNIQUE (order_id, product_id),
    CONSTRAINT order_items_quantity_positive CHECK (quantity > 0),
    CONSTRAINT order_items_price_not_negative CHECK (unit_price_amount >= 0),
    CONSTRAINT order_items_line_adds_up CHECK (line_total_amount = quantity * unit_price_amount)
);
CREATE INDEX order_items_by_product ON order_items (product_id);

-- The audit trail: one row a step, gap-free from 1. note is free text of the
-- actor, emptied when the person is removed.
CREATE TABLE order_status_history (
    order_id    uuid        NOT NULL,
    sequence    integer     NOT NULL,
    from_status text,
    to_status   text        NOT NULL,
    actor       text        NOT NULL,
    reason      text,
    note        text,
    event_id    text,
    created_at  timestamptz NOT NULL,
    CONSTRAINT order_status_history_pkey PRIMARY KEY (order_id, sequence),
    CONSTRAINT order_status_history_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT order_status_history_starts_at_one CHECK (sequence >= 1 AND (sequence = 1) = (from_status IS NULL)),
    CONSTRAINT order_status_history_legal CHECK (
        (from_status IS NULL AND to_status = 'created')
        OR (from_status, to_status) IN (('created', 'confirmed'), ('created', 'cancelled'), ('confirmed', 'shipped'),
                                        ('confirmed', 'cancelled'), ('shipped', 'delivered')))
);

-- Runs of the checkout saga. running: it may commit. placed: it has. undoing:
-- it can't commit any more, and undo_due_at is when to (re)try the undo.
CREATE TABLE checkouts (
    order_id    uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    key         text        NOT NULL,
    hash        bytea       NOT NULL,
    state       text        NOT NULL,
    lease_until timestamptz NOT NULL,
    undo_due_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT checkouts_pkey PRIMARY KEY (order_id),
    CONSTRAINT checkouts_state_known CHECK (state IN ('running', 'placed', 'undoing', 'undone')),
    CONSTRAINT checkouts_undoing_is_due CHECK ((state = 'undoing') = (undo_due_at IS NOT NULL))
);
CREATE UNIQUE INDEX checkouts_one_running_a_user ON checkouts (user_id) WHERE state = 'running';
CREATE INDEX checkouts_leases ON checkouts (lease_until) WHERE state = 'running';
CREATE INDEX checkouts_undo_due ON checkouts (undo_due_at) WHERE state = 'undoing';
CREATE INDEX checkouts_undoing_of_user ON checkouts (user_id) WHERE state = 'undoing';

-- Users who were deleted: nothing is created for them any more.
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
DROP TABLE idempotency_keys, inbox, outbox_sequences, outbox, erased_users, checkouts, order_status_history, order_items, orders;
