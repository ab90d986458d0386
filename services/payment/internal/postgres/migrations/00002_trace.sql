-- +goose Up

-- The trace of what last gave the order work to do: the worker goes on with it.
ALTER TABLE payment_orders ADD COLUMN traceparent text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE payment_orders DROP COLUMN traceparent;
