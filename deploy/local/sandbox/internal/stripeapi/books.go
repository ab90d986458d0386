package stripeapi

import (
	"encoding/json"
	"net/http"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// bookIntent and bookRefund are the rows of GET /ledger, which tests compare with
// the shop's own tables.
type bookIntent struct {
	ID             string `json:"id"`
	Amount         int64  `json:"amount"`
	AmountRefunded int64  `json:"amount_refunded"`
	Currency       string `json:"currency"`
	Status         string `json:"status"`
	OrderID        string `json:"order_id"`
	TransactionID  string `json:"transaction_id"`
	IdempotencyKey string `json:"idempotency_key"`
}

type bookRefund struct {
	ID             string `json:"id"`
	PaymentIntent  string `json:"payment_intent"`
	Amount         int64  `json:"amount"`
	Status         string `json:"status"`
	IdempotencyKey string `json:"idempotency_key"`
}

// showLedger lists everything, oldest first. It asks for no key: it is open to
// whoever is on this machine, like the shop's own test doors.
func (s *Server) showLedger(w http.ResponseWriter, _ *http.Request) {
	books := struct {
		Intents []bookIntent `json:"payment_intents"`
		Refunds []bookRefund `json:"refunds"`
	}{[]bookIntent{}, []bookRefund{}}
	err := s.ledger.View(func(tx *ledger.Tx) error {
		tx.Intents(func(i ledger.Intent) bool {
			books.Intents = append(books.Intents, bookIntent{
				ID: i.ID, Amount: i.Amount, AmountRefunded: i.Refunded, Currency: i.Currency, Status: i.Status,
				OrderID: i.Metadata["order_id"], TransactionID: i.Metadata["transaction_id"], IdempotencyKey: i.Key,
			})
			return true
		})
		tx.Refunds(func(r ledger.Refund) bool {
			books.Refunds = append(books.Refunds, bookRefund{ID: r.ID, PaymentIntent: r.Intent, Amount: r.Amount, Status: r.Status, IdempotencyKey: r.Key})
			return true
		})
		return nil
	})
	if err != nil {
		challengeFailed(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(books)
}
