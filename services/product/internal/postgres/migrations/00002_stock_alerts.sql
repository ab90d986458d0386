-- +goose Up

-- A customer waits for a product to be back in stock. A row is taken away with
-- the event that tells, or by its customer, or with the user.
CREATE TABLE stock_alerts (
    product_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stock_alerts_pkey PRIMARY KEY (product_id, user_id),
    CONSTRAINT stock_alerts_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
);
CREATE INDEX stock_alerts_by_user ON stock_alerts (user_id);

ALTER TABLE projection_queue DROP CONSTRAINT projection_queue_projection_known;
ALTER TABLE projection_queue ADD CONSTRAINT projection_queue_projection_known CHECK (projection IN ('search', 'cache', 'alerts'));

-- +goose Down
DELETE FROM projection_queue WHERE projection = 'alerts';
ALTER TABLE projection_queue DROP CONSTRAINT projection_queue_projection_known;
ALTER TABLE projection_queue ADD CONSTRAINT projection_queue_projection_known CHECK (projection IN ('search', 'cache'));
DROP TABLE stock_alerts;
