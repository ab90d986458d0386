-- +goose Up

-- The category tree. path and ancestors are derived from the parents and kept
-- by the service under one advisory lock, so that a filter by a subtree and an
-- import by names need no recursion.
CREATE TABLE categories (
    id           uuid        NOT NULL,
    parent_id    uuid,
    name         text        NOT NULL,
    description  text        NOT NULL DEFAULT '',
    path         text[]      NOT NULL,
    ancestor_ids uuid[]      NOT NULL,
    version      bigint      NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT categories_pkey PRIMARY KEY (id),
    CONSTRAINT categories_parent_fkey FOREIGN KEY (parent_id) REFERENCES categories (id) ON DELETE RESTRICT,
    CONSTRAINT categories_sibling_names_differ UNIQUE NULLS NOT DISTINCT (parent_id, name),
    CONSTRAINT categories_name_length CHECK (octet_length(name) BETWEEN 1 AND 200),
    CONSTRAINT categories_not_own_parent CHECK (parent_id <> id),
    CONSTRAINT categories_path_ends_with_name CHECK (path[cardinality(path)] = name),
    CONSTRAINT categories_ancestors_end_with_self CHECK (ancestor_ids[cardinality(ancestor_ids)] = id)
);
CREATE INDEX categories_ancestors ON categories USING gin (ancestor_ids);

-- version counts changes of the catalogue and is the ETag; revision counts
-- every change that a copy of the product shows (rating and category path too).
CREATE TABLE products (
    id             uuid        NOT NULL,
    sku            text        NOT NULL COLLATE "C",
    name           text        NOT NULL,
    description    text        NOT NULL DEFAULT '',
    category_id    uuid        NOT NULL,
    brand          text        NOT NULL DEFAULT '',
    price_amount   bigint      NOT NULL,
    price_currency text        NOT NULL,
    tax_class      text        NOT NULL,
    attributes     jsonb       NOT NULL DEFAULT '{}',
    status         text        NOT NULL,
    rating_count   bigint      NOT NULL DEFAULT 0,
    rating_sum     bigint      NOT NULL DEFAULT 0,
    popularity     bigint      NOT NULL DEFAULT 0,
    version        bigint      NOT NULL DEFAULT 1,
    revision       bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    search         tsvector    GENERATED ALWAYS AS (
        setweight(to_tsvector('english', name), 'A') ||
        setweight(to_tsvector('simple', sku), 'A') ||
        setweight(to_tsvector('english', brand), 'B') ||
        setweight(to_tsvector('english', left(description, 20000)), 'C')) STORED,
    CONSTRAINT products_pkey PRIMARY KEY (id),
    CONSTRAINT products_sku_key UNIQUE (sku),
    CONSTRAINT products_category_fkey FOREIGN KEY (category_id) REFERENCES categories (id) ON DELETE RESTRICT,
    CONSTRAINT products_sku_length CHECK (octet_length(sku) BETWEEN 1 AND 100),
    CONSTRAINT products_name_length CHECK (octet_length(name) BETWEEN 1 AND 200),
    CONSTRAINT products_price_range CHECK (price_amount >= 0 AND price_amount < 9007199254740992),
    CONSTRAINT products_currency_code CHECK (price_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT products_tax_class_known CHECK (tax_class IN ('standard', 'reduced', 'zero')),
    CONSTRAINT products_status_known CHECK (status IN ('draft', 'active', 'archived')),
    CONSTRAINT products_rating_sum_fits CHECK (rating_count >= 0 AND rating_sum BETWEEN rating_count AND 5 * rating_count)
);
CREATE INDEX products_by_category ON products (category_id, id);
CREATE INDEX products_by_status ON products (status, id);
CREATE INDEX products_changed ON products (changed_at);
CREATE INDEX products_search ON products USING gin (search);

CREATE TABLE product_images (
    product_id uuid    NOT NULL,
    position   integer NOT NULL,
    url        text    NOT NULL,
    alt        text    NOT NULL DEFAULT '',
    CONSTRAINT product_images_pkey PRIMARY KEY (product_id, position),
    CONSTRAINT product_images_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT product_images_position_positive CHECK (position >= 1),
    CONSTRAINT product_images_url_length CHECK (octet_length(url) BETWEEN 1 AND 2000)
);

-- available = on_hand - held - reserved. flips counts how often a product went
-- in or out of stock: with products.revision it versions the copies.
CREATE TABLE product_inventory (
    product_id uuid        NOT NULL,
    on_hand    bigint      NOT NULL DEFAULT 0,
    held       bigint      NOT NULL DEFAULT 0,
    reserved   bigint      NOT NULL DEFAULT 0,
    flips      bigint      NOT NULL DEFAULT 0,
    flipped_at timestamptz NOT NULL,
    CONSTRAINT product_inventory_pkey PRIMARY KEY (product_id),
    CONSTRAINT product_inventory_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE RESTRICT,
    CONSTRAINT product_inventory_on_hand_not_negative CHECK (on_hand >= 0),
    CONSTRAINT product_inventory_held_not_negative CHECK (held >= 0),
    CONSTRAINT product_inventory_reserved_not_negative CHECK (reserved >= 0),
    CONSTRAINT product_inventory_available_not_negative CHECK (on_hand - held - reserved >= 0)
) WITH (fillfactor = 70);
CREATE INDEX product_inventory_flipped ON product_inventory (flipped_at);

-- The ledger: one row for each change of a counter. Summed up it gives the
-- counters; nothing updates or deletes a row. No foreign key to the product: a
-- movement is only written under the lock of its inventory row, and the share
-- locks of the check would pile up on a product that many buy at once.
CREATE TABLE inventory_movements (
    id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    product_id     uuid        NOT NULL,
    kind           text        NOT NULL,
    on_hand_delta  bigint      NOT NULL DEFAULT 0,
    held_delta     bigint      NOT NULL DEFAULT 0,
    reserved_delta bigint      NOT NULL DEFAULT 0,
    order_id       uuid,
    actor          text        NOT NULL,
    reason         text        NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inventory_movements_pkey PRIMARY KEY (id),
    CONSTRAINT inventory_movements_kind_known CHECK (kind IN ('count', 'adjust', 'hold', 'release', 'expire', 'reserve', 'unreserve', 'ship')),
    CONSTRAINT inventory_movements_moves CHECK (on_hand_delta <> 0 OR held_delta <> 0 OR reserved_delta <> 0)
);
CREATE INDEX inventory_movements_by_product ON inventory_movements (product_id, id);
CREATE INDEX inventory_movements_by_order ON inventory_movements (order_id) WHERE order_id IS NOT NULL;

-- One row an order, made by whatever comes first: a hold, an event, or a
-- release that forbids a late hold.
CREATE TABLE holds (
    order_id   uuid        NOT NULL,
    user_id    uuid,
    state      text        NOT NULL,
    cancelled  boolean     NOT NULL DEFAULT false,
    expires_at timestamptz,
    due_at     timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT holds_pkey PRIMARY KEY (order_id),
    CONSTRAINT holds_state_known CHECK (state IN ('held', 'released', 'reserved', 'rejected', 'shipped')),
    CONSTRAINT holds_held_expires CHECK (state <> 'held' OR (expires_at IS NOT NULL AND due_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX holds_due ON holds (due_at) WHERE state = 'held';

CREATE TABLE hold_lines (
    order_id       uuid   NOT NULL,
    product_id     uuid   NOT NULL,
    quantity       bigint NOT NULL,
    sku            text   NOT NULL,
    name           text   NOT NULL,
    price_amount   bigint NOT NULL,
    price_currency text   NOT NULL,
    tax_class      text   NOT NULL,
    CONSTRAINT hold_lines_pkey PRIMARY KEY (order_id, product_id),
    CONSTRAINT hold_lines_hold_fkey FOREIGN KEY (order_id) REFERENCES holds (order_id) ON DELETE CASCADE,
    CONSTRAINT hold_lines_quantity_positive CHECK (quantity > 0)
);

-- user_id is null once its user is erased. verified_purchase is null while the
-- order service has not answered yet.
CREATE TABLE product_reviews (
    id                uuid        NOT NULL,
    product_id        uuid        NOT NULL,
    user_id           uuid,
    rating            integer     NOT NULL,
    title             text        NOT NULL DEFAULT '',
    body              text        NOT NULL DEFAULT '',
    status            text        NOT NULL DEFAULT 'published',
    verified_purchase boolean,
    verify_due_at     timestamptz,
    version           bigint      NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CONSTRAINT product_reviews_pkey PRIMARY KEY (id),
    CONSTRAINT product_reviews_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE RESTRICT,
    CONSTRAINT product_reviews_one_a_user UNIQUE (product_id, user_id),
    CONSTRAINT product_reviews_rating_range CHECK (rating BETWEEN 1 AND 5),
    CONSTRAINT product_reviews_status_known CHECK (status IN ('pending', 'published', 'rejected')),
    CONSTRAINT product_reviews_pending_check CHECK (verified_purchase IS NOT NULL OR verify_due_at IS NOT NULL OR user_id IS NULL)
);
CREATE INDEX product_reviews_by_user ON product_reviews (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX product_reviews_to_verify ON product_reviews (verify_due_at) WHERE verified_purchase IS NULL;

-- Products whose copies (search index, cache) are behind. Append-only, so that
-- whoever adds a row waits for nobody; a worker folds duplicates.
CREATE TABLE projection_queue (
    id         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    projection text        NOT NULL,
    product_id uuid        NOT NULL,
    queued_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT projection_queue_pkey PRIMARY KEY (id),
    CONSTRAINT projection_queue_projection_known CHECK (projection IN ('search', 'cache'))
);
CREATE INDEX projection_queue_order ON projection_queue (projection, id);

-- Ids of users who are gone for ever: nothing is created for them.
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
DROP TABLE idempotency_keys, inbox, outbox_sequences, outbox, erased_users, projection_queue, product_reviews,
    hold_lines, holds, inventory_movements, product_inventory, product_images, products, categories;
