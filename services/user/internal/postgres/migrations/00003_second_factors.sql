-- +goose Up
-- Whether signing in needs a second factor is told by the account's own row, so
-- that a session can't begin beside a change of it.
ALTER TABLE users
    ADD COLUMN two_factor boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT users_two_factor_check CHECK (NOT (two_factor AND status = 'erased'));

-- The secret of an authenticator app is sealed by AES-256-GCM under a key of the
-- secret store; of recovery codes only digests are kept, and none of a used one.
CREATE TABLE second_factors (
    user_id        uuid        NOT NULL,
    secret         bytea       NOT NULL,
    recovery_codes bytea[]     NOT NULL,
    last_step      bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    confirmed_at   timestamptz,
    CONSTRAINT second_factors_pkey PRIMARY KEY (user_id),
    CONSTRAINT second_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT second_factors_waiting_check CHECK (confirmed_at IS NOT NULL OR (cardinality(recovery_codes) = 0 AND last_step = 0))
);
CREATE INDEX second_factors_waiting ON second_factors (created_at) WHERE confirmed_at IS NULL;

-- +goose Down
DROP TABLE second_factors;
ALTER TABLE users
    DROP CONSTRAINT users_two_factor_check,
    DROP COLUMN two_factor;
