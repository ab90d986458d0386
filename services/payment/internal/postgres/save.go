package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/mutant"
	"github.com/caravan-shop/caravan/services/internal/outbox"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/payment/internal/payment"
)

const (
	updateOrder = `
UPDATE payment_orders SET user_id = $2, number = $3, amount = $4, currency = $5, state = $6, means_kind = $7,
    means_token = $8, means_customer = $9, means_saved_id = $10, placed_at = $11, updated_at = now(),
    due_at = CASE WHEN $12 THEN now() + $13::interval END,
    leased_until = CASE WHEN $14 THEN now() + $15::interval WHEN $16 THEN NULL ELSE leased_until END,
    lease_id = CASE WHEN $16 THEN NULL ELSE lease_id END,
    tries = CASE WHEN $14 OR $16 THEN 0 ELSE tries END,
    last_error = CASE WHEN $14 OR $16 THEN '' ELSE last_error END,
    traceparent = CASE WHEN $12 THEN $17 ELSE traceparent END
WHERE order_id = $1`

	insertAttempt = `
INSERT INTO transactions (id, order_id, user_id, number, attempt, payment_method_id, saved_method_id, amount, refunded_amount,
    currency, status, failure_code, next_action, surplus, provider_payment_id, idempotency_key, intent, method_token,
    method_customer, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, (SELECT m.id FROM payment_methods m WHERE m.code = $6), $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
    $17, $18, $19, $20, $21, $22)`

	updateAttempt = `
UPDATE transactions SET refunded_amount = $2, status = $3, failure_code = $4, next_action = $5, surplus = $6,
    provider_payment_id = $7, intent = $8, method_token = $9, method_customer = $10, version = $11, updated_at = $12
WHERE id = $1`

	insertRefund = `
INSERT INTO refunds (id, order_id, transaction_id, kind, amount, currency, reason, requested_by, status, failure_code,
    provider_refund_id, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

	// What a second transaction would write that had read before this one did.
	insertAgain = `
INSERT INTO refunds (id, order_id, transaction_id, kind, amount, currency, reason, requested_by, status, failure_code,
    provider_refund_id, version, created_at, updated_at)
SELECT gen_random_uuid(), order_id, transaction_id, kind, amount, currency, reason, requested_by, status, failure_code,
    provider_refund_id, version, created_at, updated_at FROM refunds WHERE id = $1
ON CONFLICT DO NOTHING`

	updateRefund = `
UPDATE refunds SET status = $2, failure_code = $3, provider_refund_id = $4, version = $5, updated_at = $6 WHERE id = $1`
)

// lease bounds one call to the provider and the commit after it; a worker that
// was killed is replaced when it has passed.
const lease = 15 * time.Second

// save writes what differs, appends the events and wakes a worker after commit.
func (s *Store) save(ctx context.Context, before, after payment.Order, evs []events.Event, d due) error {
	batch := &pgx.Batch{}
	batch.Queue(updateOrder, after.ID, pg.NullID(after.UserID), after.Number, after.Amount, after.Currency, after.State,
		after.Means.Kind, after.Means.Token, after.Means.Customer, pg.NullID(after.Means.SavedID), null(after.PlacedAt),
		d.ever, d.after, d.keepLease, lease, d.dropLease, outbox.Traceparent(ctx))
	queueAttempts(batch, before, after)
	queueRefunds(batch, before, after)
	if err := s.db.Later(ctx, batch); err != nil {
		return fmt.Errorf("save order: %w", err)
	}
	if err := s.box.Append(ctx, evs...); err != nil {
		return err
	}
	if d.ever && d.after == 0 && !d.keepLease {
		s.wakeAfterCommit(ctx)
	}
	return nil
}

func queueAttempts(batch *pgx.Batch, before, after payment.Order) {
	known := map[uuid.UUID]payment.Attempt{}
	for _, a := range before.Attempts {
		known[a.ID] = a
	}
	// What has ended is written before what begins: one open attempt an order.
	for _, a := range after.Attempts {
		old, exists := known[a.ID]
		switch {
		case !exists:
			batch.Queue(insertAttempt, a.ID, after.ID, after.UserID, after.Number, a.Number, payment.KindCard, pg.NullID(a.Means.SavedID),
				a.Amount, a.RefundedAmount, a.Currency, a.Status, a.FailureCode, a.NextAction, a.Surplus, null(a.ProviderID),
				a.ID.String(), a.Intent, a.Means.Token, a.Means.Customer, a.Version, a.CreatedAt, a.UpdatedAt)
		case old != a:
			batch.Queue(updateAttempt, a.ID, a.RefundedAmount, a.Status, a.FailureCode, a.NextAction, a.Surplus,
				null(a.ProviderID), a.Intent, a.Means.Token, a.Means.Customer, a.Version, a.UpdatedAt)
		}
	}
}

func queueRefunds(batch *pgx.Batch, before, after payment.Order) {
	known := map[uuid.UUID]payment.Refund{}
	for _, r := range before.Refunds {
		known[r.ID] = r
	}
	for _, r := range after.Refunds {
		old, exists := known[r.ID]
		switch {
		case !exists:
			batch.Queue(insertRefund, r.ID, after.ID, r.TransactionID, r.Kind, r.Amount, r.Currency, r.Reason, pg.NullID(r.RequestedBy),
				r.Status, r.FailureCode, null(r.ProviderID), r.Version, r.CreatedAt, r.UpdatedAt)
			if mutant.On(mutant.RefundTwice) && r.Kind != payment.RefundStaff {
				batch.Queue(insertAgain, r.ID)
			}
		case old != r:
			batch.Queue(updateRefund, r.ID, r.Status, r.FailureCode, null(r.ProviderID), r.Version, r.UpdatedAt)
		}
	}
}

func (s *Store) wakeAfterCommit(ctx context.Context) { pg.AfterCommit(ctx, s.poke) }
