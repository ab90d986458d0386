package postgres

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/order/internal/order"
)

const insertOrder = `
INSERT INTO orders (
    id, number, user_id, status, payment_status, stock_status,
    subtotal_amount, shipping_amount, tax_amount, discount_amount, total_amount, currency,
    pay_by, payment_due_at, shipping_address_id, billing_address_id, shipping_address, billing_address,
    history_length, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`

func queueInsert(batch *pgx.Batch, o order.Order) {
	batch.Queue(insertOrder, o.ID, o.Number, o.UserID, o.Status, o.Payment, o.Stock,
		o.Totals.Subtotal, o.Totals.Shipping, o.Totals.Tax, o.Totals.Discount, o.Totals.Total, o.Totals.Currency,
		o.PayBy, orNull(o.PaymentDue), o.ShippingAddressID, o.BillingAddressID, o.ShippingAddress, o.BillingAddress,
		o.HistoryLength, o.Version, o.CreatedAt, o.UpdatedAt)
	queueItems(batch, o)
}

const insertItems = `
INSERT INTO order_items (order_id, position, product_id, sku, name, tax_class, quantity, unit_price_amount, line_total_amount)
SELECT $1, i.position, i.product_id, i.sku, i.name, i.tax_class, i.quantity, i.unit_price, i.line_total
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[]) WITH ORDINALITY
     AS i(product_id, sku, name, tax_class, quantity, unit_price, line_total, position)`

func queueItems(batch *pgx.Batch, o order.Order) {
	n := len(o.Items)
	ids, skus, names, classes := make([]uuid.UUID, n), make([]string, n), make([]string, n), make([]string, n)
	quantities, prices, totals := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, it := range o.Items {
		ids[i], skus[i], names[i], classes[i] = it.ProductID, it.SKU, it.Name, it.TaxClass
		quantities[i], prices[i], totals[i] = it.Quantity, it.UnitPrice, it.LineTotal
	}
	batch.Queue(insertItems, o.ID, ids, skus, names, classes, quantities, prices, totals)
}

const updateOrder = `
UPDATE orders SET
    status = $2, payment_status = $3, stock_status = $4, reason = $5,
    captured_amount = $6, refunded_amount = $7, money = $8, payment_attempt = $9, payment_due_at = $10,
    shipping_address = $11, billing_address = $12, erased = $13, carrier = $14, tracking_number = $15,
    history_length = $16, version = $17, updated_at = $18
WHERE id = $1`

func queueUpdate(batch *pgx.Batch, o order.Order) {
	money := o.Money
	if money == nil {
		money = []order.Transaction{} // not null
	}
	batch.Queue(updateOrder, o.ID, o.Status, o.Payment, o.Stock, o.Reason,
		o.Captured(), o.Refunded(), money, o.Attempt, orNull(o.PaymentDue),
		o.ShippingAddress, o.BillingAddress, o.Erased, o.Carrier, o.TrackingNumber,
		o.HistoryLength, o.Version, o.UpdatedAt)
}

const insertHistory = `
INSERT INTO order_status_history (order_id, sequence, from_status, to_status, actor, reason, note, event_id, created_at)
VALUES ($1, $2, nullif($3::text, ''), $4, $5, nullif($6::text, ''), nullif($7::text, ''), nullif($8::text, ''), $9)`

func queueHistory(batch *pgx.Batch, id uuid.UUID, history []order.Transition) {
	for _, h := range history {
		batch.Queue(insertHistory, id, h.Sequence, string(h.From), string(h.To), h.Cause.Actor, h.Reason,
			h.Cause.Note, h.Cause.EventID, h.At)
	}
}

// clearNotes removes what people wrote about an order of a forgotten person.
const clearNotes = `UPDATE order_status_history SET note = NULL WHERE order_id = $1 AND note IS NOT NULL`

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
