package stripeapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/sandbox/internal/ledger"
)

// operation does one request in one transaction and returns the object to show.
// What it staged is kept also where it returns an error that is Executed.
type operation func(tx *ledger.Tx, q *request) (any, *ledger.Error)

// errDiscard undoes a transaction whose refusal had no effect.
var errDiscard = errors.New("discard")

// hangTime is how long a request stays unanswered whose card asks for it; any
// client has given up by then.
const hangTime = 10 * time.Minute

// read answers a request that changes nothing.
func (s *Server) read(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, refused := s.parse(r)
		if refused != nil {
			s.fail(w, refused)
			return
		}
		var a ledger.Answer
		err := s.ledger.View(func(tx *ledger.Tx) error {
			a, _ = answer(tx, q, op)
			return nil
		})
		s.send(w, q, a, err)
	})
}

// write answers a request that may change the ledger, once per idempotency key.
func (s *Server) write(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, refused := s.parse(r)
		if refused != nil {
			s.fail(w, refused)
			return
		}
		if r.Method != http.MethodPost {
			q.key = "" // Stripe takes keys on POST alone
		}
		if q.key == "" {
			a, err := s.execute(op, q, "")
			s.sendOrFault(w, r, q, a, err)
			return
		}
		w.Header().Set("Idempotency-Key", q.key)
		if !s.begin(q.key) {
			s.fail(w, &ledger.Error{
				Status: http.StatusConflict, Type: "idempotency_error", Code: "idempotency_key_in_use",
				Message: "There is currently another in-progress request using this Idempotency Key: " + q.key + ". Please try again later.",
			})
			return
		}
		a, err := s.once(w, r, op, q)
		s.end(q.key)
		s.sendOrFault(w, r, q, a, err)
	})
}

// once replays the answer of an earlier request or executes this one.
func (s *Server) once(w http.ResponseWriter, r *http.Request, op operation, q *request) (ledger.Answer, error) {
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.Path + "\n" + q.canonical()))
	hash := hex.EncodeToString(sum[:])
	kept, err := s.ledger.Answer(q.key)
	switch {
	case err != nil:
		return ledger.Answer{}, err
	case kept == nil:
		return s.execute(op, q, hash)
	case kept.Hash != hash:
		return encode(http.StatusBadRequest, viewer{}.refusal(&ledger.Error{
			Status: http.StatusBadRequest, Type: "idempotency_error",
			Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. " +
				"Try using a key other than '" + q.key + "' if you meant to execute a different request.",
		})), nil
	}
	w.Header().Set("Idempotent-Replayed", "true")
	w.Header().Set("Original-Request", kept.RequestID)
	return *kept, nil
}

// execute runs the operation; effect and kept answer are one change.
func (s *Server) execute(op operation, q *request, hash string) (ledger.Answer, error) {
	var a ledger.Answer
	err := s.ledger.Update(func(tx *ledger.Tx) error {
		var keep bool
		a, keep = answer(tx, q, op)
		if !keep {
			return errDiscard
		}
		if q.key != "" {
			a.Key, a.Hash, a.RequestID, a.At = q.key, hash, q.reqID, tx.Now()
			tx.Keep(a)
		}
		return nil
	})
	if errors.Is(err, errDiscard) {
		err = nil
	}
	return a, err
}

// answer runs the operation and writes its outcome down; keep is false for a
// refusal without effect.
func answer(tx *ledger.Tx, q *request, op operation) (a ledger.Answer, keep bool) {
	object, refused := op(tx, q)
	if refused == nil {
		return encode(http.StatusOK, object), true
	}
	return encode(refused.Status, viewer{tx: tx, base: q.baseURL}.refusal(refused)), refused.Executed
}

func encode(status int, object any) ledger.Answer {
	body, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		panic(err) // plain structs
	}
	return ledger.Answer{Status: status, Body: string(body) + "\n"}
}

func (s *Server) begin(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[key] {
		return false
	}
	s.running[key] = true
	return true
}

func (s *Server) end(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, key)
}

// sendOrFault sends the answer, unless the card wants it lost.
func (s *Server) sendOrFault(w http.ResponseWriter, r *http.Request, q *request, a ledger.Answer, err error) {
	switch {
	case err != nil || q.fault == "":
		s.send(w, q, a, err)
	case q.fault == ledger.FaultHang:
		select {
		case <-r.Context().Done():
		case <-time.After(hangTime):
		}
		panic(http.ErrAbortHandler)
	default:
		s.fail(w, &ledger.Error{Status: http.StatusInternalServerError, Type: "api_error", Message: "An unknown error occurred."})
	}
}

func (s *Server) send(w http.ResponseWriter, q *request, a ledger.Answer, err error) {
	if err != nil {
		s.log.Error("ledger failed", "error", err)
		s.fail(w, &ledger.Error{Status: http.StatusInternalServerError, Type: "api_error", Message: "The sandbox could not write its ledger."})
		return
	}
	w.Header().Set("Request-Id", q.reqID)
	w.Header().Set("Stripe-Version", q.version)
	writeBody(w, a)
}

// fail answers a request that never reached its operation.
func (s *Server) fail(w http.ResponseWriter, refused *ledger.Error) {
	w.Header().Set("Request-Id", "req_"+s.random(14))
	writeBody(w, encode(refused.Status, viewer{}.refusal(refused)))
}

func writeBody(w http.ResponseWriter, a ledger.Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.Status)
	_, _ = w.Write([]byte(a.Body))
}
