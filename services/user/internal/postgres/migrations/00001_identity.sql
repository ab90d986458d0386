-- +goose Up
CREATE TABLE users (
    id               uuid        NOT NULL,
    email            text,
    email_normalized text,
    email_verified   boolean     NOT NULL DEFAULT false,
    password_hash    text,
    first_name       text,
    last_name        text,
    locale           text,
    status           text        NOT NULL,
    version          bigint      NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_normalized_key UNIQUE (email_normalized),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'disabled', 'erased')),
    -- An erased account is its bare id; any other one is whole.
    CONSTRAINT users_person_check CHECK (
        (status = 'erased') = (num_nonnulls(email, email_normalized, password_hash, first_name, last_name, locale) = 0)
        AND num_nonnulls(email, email_normalized, password_hash, first_name, last_name, locale) IN (0, 6))
);

CREATE TABLE user_roles (
    id          smallint NOT NULL,
    code        text     NOT NULL,
    description text     NOT NULL,
    CONSTRAINT user_roles_pkey PRIMARY KEY (id),
    CONSTRAINT user_roles_code_key UNIQUE (code)
);
INSERT INTO user_roles (id, code, description) VALUES
    (1, 'customer', 'Buys in the shop'),
    (2, 'staff', 'Keeps catalogue, stock and orders'),
    (3, 'admin', 'Keeps accounts, besides all that staff does');

CREATE TABLE user_role_mapping (
    user_id    uuid        NOT NULL,
    role_id    smallint    NOT NULL,
    granted_at timestamptz NOT NULL,
    CONSTRAINT user_role_mapping_pkey PRIMARY KEY (user_id, role_id),
    CONSTRAINT user_role_mapping_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT user_role_mapping_role_id_fkey FOREIGN KEY (role_id) REFERENCES user_roles (id)
);
CREATE INDEX user_role_mapping_role ON user_role_mapping (role_id);

CREATE TABLE user_addresses (
    id                  uuid        NOT NULL,
    user_id             uuid        NOT NULL,
    label               text,
    recipient           text,
    line1               text,
    line2               text,
    city                text,
    region              text,
    postal_code         text,
    country             text,
    phone               text,
    is_default_shipping boolean     NOT NULL DEFAULT false,
    is_default_billing  boolean     NOT NULL DEFAULT false,
    version             bigint      NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    deleted_at          timestamptz,
    erased_at           timestamptz,
    CONSTRAINT user_addresses_pkey PRIMARY KEY (id),
    CONSTRAINT user_addresses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT user_addresses_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT user_addresses_whole_check CHECK (
        CASE WHEN erased_at IS NULL THEN num_nulls(recipient, line1, city, postal_code, country) = 0
             ELSE deleted_at IS NOT NULL
                  AND num_nonnulls(label, recipient, line1, line2, city, region, postal_code, country, phone) = 0 END),
    CONSTRAINT user_addresses_default_check CHECK (deleted_at IS NULL OR NOT (is_default_shipping OR is_default_billing))
);
CREATE INDEX user_addresses_of_user ON user_addresses (user_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX user_addresses_default_shipping ON user_addresses (user_id) WHERE is_default_shipping;
CREATE UNIQUE INDEX user_addresses_default_billing ON user_addresses (user_id) WHERE is_default_billing;

CREATE TABLE password_reset_tokens (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    token_hash bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT password_reset_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT password_reset_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT password_reset_tokens_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX password_reset_tokens_of_user ON password_reset_tokens (user_id);
CREATE INDEX password_reset_tokens_expiry ON password_reset_tokens (expires_at);

-- Requests that wait for their token. One for an unknown address has no user: it
-- is stored all the same, so that it takes as long.
CREATE TABLE password_reset_requests (
    id         uuid        NOT NULL,
    user_id    uuid,
    created_at timestamptz NOT NULL,
    CONSTRAINT password_reset_requests_pkey PRIMARY KEY (id)
);

CREATE TABLE email_verification_tokens (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    token_hash bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT email_verification_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT email_verification_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT email_verification_tokens_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX email_verification_tokens_of_user ON email_verification_tokens (user_id, id);
CREATE INDEX email_verification_tokens_expiry ON email_verification_tokens (expires_at);

CREATE TABLE sessions (
    id             uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    device         text        NOT NULL,
    address        text        NOT NULL,
    created_at     timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_reason text,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT sessions_revoked_check CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX sessions_of_user ON sessions (user_id, id);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Every refresh token of a living session, used ones too: that is how a stolen
-- one is known.
CREATE TABLE refresh_tokens (
    token_hash bytea       NOT NULL,
    session_id uuid        NOT NULL,
    generation integer     NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash),
    CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_generation_key UNIQUE (session_id, generation)
);

-- The private key is sealed by AES-256-GCM under a key of the secret store.
CREATE TABLE signing_keys (
    id          text        NOT NULL,
    public_key  bytea       NOT NULL,
    private_key bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    active_at   timestamptz NOT NULL,
    expires_at  timestamptz,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (id)
);

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
-- The inbox: events that have taken effect. Copy into a service's first migration.
CREATE TABLE inbox (
    event_id    text        NOT NULL,
    consumer    text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (event_id, consumer)
);
-- Answers kept for idempotency keys. Copy into a service's first migration.
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
DROP TABLE idempotency_keys, inbox, outbox_sequences, outbox, signing_keys, refresh_tokens, sessions,
    email_verification_tokens, password_reset_requests, password_reset_tokens, user_addresses, user_role_mapping,
    user_roles, users;
