-- +goose Up
-- A verification may carry an address: the account changes to it once it is
-- confirmed, and the row then keeps the former one for the mail that tells it.
ALTER TABLE email_verification_tokens
    ADD COLUMN email            text,
    ADD COLUMN email_normalized text,
    ADD COLUMN former_email     text,
    ADD CONSTRAINT email_verification_tokens_email_check CHECK (num_nonnulls(email, email_normalized) IN (0, 2)),
    ADD CONSTRAINT email_verification_tokens_former_check CHECK (former_email IS NULL OR (email IS NOT NULL AND used_at IS NOT NULL));

-- +goose Down
DELETE FROM email_verification_tokens WHERE email IS NOT NULL;
ALTER TABLE email_verification_tokens
    DROP CONSTRAINT email_verification_tokens_former_check,
    DROP CONSTRAINT email_verification_tokens_email_check,
    DROP COLUMN former_email,
    DROP COLUMN email_normalized,
    DROP COLUMN email;
