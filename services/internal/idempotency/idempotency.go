// Package idempotency makes a POST safe to repeat: the first answer to a key is
// kept for a day and given again. Where the effect is one transaction, key and
// answer commit with it (Once); where it spans services, the key is held by a
// lease (Begin, Finish, Forget) and the answer commits with the last step.
package idempotency

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/pg"
)

// Kept is how long an answer can be asked for again.
const Kept = 24 * time.Hour

// The refusals of a key.
var (
	ErrReused     = fault.New(fault.Invalid, "idempotency_key_reused", "This Idempotency-Key was used with another request.")
	ErrInProgress = fault.New(fault.Conflict, "idempotency_in_progress", "The first request with this Idempotency-Key is still running.")
	ErrRequired   = fault.New(fault.Required, "idempotency_key_required", "This route needs an Idempotency-Key header.")
	ErrBadKey     = fault.New(fault.Malformed, "idempotency_key_malformed", "An Idempotency-Key is 1 to 255 printable ASCII characters.")
)

// Key is one request of one user on one route. The client's own key is not in
// it: Key names it by a digest, and Hash is keyed by it. So the table does not
// let anybody guess what a kept request held, such as a password.
type Key struct {
	UserID uuid.UUID
	Route  string
	Key    string
	Hash   []byte
}

// NewKey makes the key of a request from the client's key and from all that
// must be the same for a request to be the same.
func NewKey(user uuid.UUID, route, clientKey, path, query string, body []byte) Key {
	name := sha256.Sum256([]byte(clientKey))
	return Key{UserID: user, Route: route, Key: hex.EncodeToString(name[:]), Hash: digest(clientKey, path, query, body)}
}

func digest(clientKey, path, query string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(clientKey))
	for _, part := range [][]byte{[]byte(path), []byte(query), body} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// Valid tells whether a client's key has an acceptable form.
func Valid(key string) bool {
	if len(key) == 0 || len(key) > 255 {
		return false
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return false
		}
	}
	return true
}

// Answer is what is kept: status, the headers that belong to it, the bytes.
type Answer struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

// Good tells whether an answer is kept: only a success is.
func (a Answer) Good() bool { return a.Status >= 200 && a.Status < 300 }

type ctxKey struct{}

// With hands the key of a request to a handler that holds it by a lease.
func With(ctx context.Context, k Key) context.Context { return context.WithValue(ctx, ctxKey{}, k) }

// KeyFrom gives the request's key; false when the client sent none.
func KeyFrom(ctx context.Context) (Key, bool) {
	k, ok := ctx.Value(ctxKey{}).(Key)
	return k, ok
}

// Keeper keeps answers in the service's own database. Safe for concurrent use.
type Keeper struct {
	db  *pg.DB
	now func() time.Time
}

// New makes a keeper.
func New(db *pg.DB, now func() time.Time) *Keeper { return &Keeper{db: db, now: now} }

const selectAnswer = `
SELECT request_hash, lease_until, status, headers, body FROM idempotency_keys
WHERE user_id = $1 AND route = $2 AND key = $3 AND created_at > $4`

// Lookup gives the kept answer of a key. It fails with ErrReused for another
// request and with ErrInProgress while the first one holds its lease.
func (k *Keeper) Lookup(ctx context.Context, key Key) (Answer, bool, error) {
	var hash, headers, body []byte
	var lease *time.Time
	var status *int
	now := k.now()
	row := k.db.Conn(ctx).QueryRow(ctx, selectAnswer, key.UserID, key.Route, key.Key, now.Add(-Kept))
	err := row.Scan(&hash, &lease, &status, &headers, &body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Answer{}, false, nil
	case err != nil:
		return Answer{}, false, fmt.Errorf("idempotency lookup: %w", err)
	case string(hash) != string(key.Hash):
		return Answer{}, false, ErrReused
	case status == nil && lease != nil && lease.After(now):
		return Answer{}, false, ErrInProgress
	case status == nil:
		return Answer{}, false, nil // its holder died: the next one may try
	}
	a := Answer{Status: *status, Body: body}
	if err := json.Unmarshal(headers, &a.Headers); err != nil {
		return Answer{}, false, fmt.Errorf("idempotency headers: %w", err)
	}
	return a, true, nil
}

const (
	tryLock    = `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`
	deleteAged = `DELETE FROM idempotency_keys WHERE user_id = $1 AND route = $2 AND key = $3 AND created_at <= $4`
	insertDone = `
INSERT INTO idempotency_keys (user_id, route, key, request_hash, lease_until, status, headers, body, created_at)
VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, $8)`
)

// errNotKept rolls back the transaction of an answer that is no success.
var errNotKept = errors.New("idempotency: answer not kept")

// Once runs fn in one transaction with the key: its effect and its answer
// commit together, or neither does. An answer that is no success rolls
// everything back and is given but not kept. replayed tells that fn did not run.
func (k *Keeper) Once(ctx context.Context, key Key, fn func(ctx context.Context) (Answer, error)) (a Answer, replayed bool, err error) {
	err = k.db.InTx(ctx, func(ctx context.Context) error {
		var locked bool
		if err := k.db.Conn(ctx).QueryRow(ctx, tryLock, key.lockName()).Scan(&locked); err != nil {
			return fmt.Errorf("idempotency lock: %w", err)
		}
		if !locked {
			return ErrInProgress
		}
		if a, replayed, err = k.Lookup(ctx, key); err != nil || replayed {
			return err
		}
		if a, err = fn(ctx); err != nil {
			return err
		}
		if !a.Good() {
			return errNotKept
		}
		return k.insert(ctx, key, a)
	})
	if errors.Is(err, errNotKept) {
		err = nil
	}
	return a, replayed, err
}

func (k *Keeper) insert(ctx context.Context, key Key, a Answer) error {
	headers, err := json.Marshal(a.Headers)
	if err != nil {
		return fmt.Errorf("idempotency headers: %w", err)
	}
	now := k.now()
	batch := &pgx.Batch{}
	batch.Queue(deleteAged, key.UserID, key.Route, key.Key, now.Add(-Kept))
	batch.Queue(insertDone, key.UserID, key.Route, key.Key, key.Hash, a.Status, headers, a.Body, now)
	if err := k.db.Later(ctx, batch); err != nil {
		return fmt.Errorf("idempotency insert: %w", err)
	}
	return nil
}

func (k Key) lockName() string { return k.UserID.String() + " " + k.Route + " " + k.Key }

const beginLease = `
INSERT INTO idempotency_keys AS i (user_id, route, key, request_hash, lease_until, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO UPDATE
SET request_hash = excluded.request_hash, lease_until = excluded.lease_until, created_at = excluded.created_at,
    status = NULL, headers = NULL, body = NULL
WHERE (i.status IS NULL AND i.lease_until <= $6) OR i.created_at <= $7`

// Begin takes the key for as long as lease, in the transaction of ctx. It fails
// with ErrInProgress while another request holds it or has answered it.
func (k *Keeper) Begin(ctx context.Context, key Key, lease time.Duration) error {
	now := k.now()
	// Not for later: who is refused must not go on to wait for other rows with this
	// one locked, which a refusal locks too.
	tag, err := k.db.Conn(ctx).Exec(ctx, beginLease, key.UserID, key.Route, key.Key, key.Hash, now.Add(lease), now, now.Add(-Kept))
	if err != nil {
		return fmt.Errorf("idempotency begin: %w", err)
	}
	return oneRow(tag)
}

// oneRow refuses for a key that is somebody else's.
func oneRow(tag pgconn.CommandTag) error {
	if tag.RowsAffected() == 0 {
		return ErrInProgress
	}
	return nil
}

const finishLease = `
UPDATE idempotency_keys SET lease_until = NULL, status = $5, headers = $6, body = $7
WHERE user_id = $1 AND route = $2 AND key = $3 AND request_hash = $4 AND status IS NULL`

// Finish keeps the answer, in the transaction of the last step, which fails with
// ErrInProgress if the key is in other hands by then.
func (k *Keeper) Finish(ctx context.Context, key Key, a Answer) error {
	headers, err := json.Marshal(a.Headers)
	if err != nil {
		return fmt.Errorf("idempotency headers: %w", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(finishLease, key.UserID, key.Route, key.Key, key.Hash, a.Status, headers, a.Body).Exec(oneRow)
	if err := k.db.Later(ctx, batch); err != nil {
		return fmt.Errorf("idempotency finish: %w", err)
	}
	return nil
}

const forgetLease = `DELETE FROM idempotency_keys WHERE user_id = $1 AND route = $2 AND key = $3 AND request_hash = $4 AND status IS NULL`

// Forget gives the key back after a refusal, so that the client may try again;
// neither another request's key nor one that has its answer.
func (k *Keeper) Forget(ctx context.Context, key Key) error {
	if _, err := k.db.Conn(ctx).Exec(ctx, forgetLease, key.UserID, key.Route, key.Key, key.Hash); err != nil {
		return fmt.Errorf("idempotency forget: %w", err)
	}
	return nil
}

const sweepAged = `
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at <= $1 LIMIT 1000))`

// Sweep removes answers past their day, a bounded number at a call.
func (k *Keeper) Sweep(ctx context.Context) error {
	if _, err := k.db.Conn(ctx).Exec(ctx, sweepAged, k.now().Add(-Kept)); err != nil {
		return fmt.Errorf("idempotency sweep: %w", err)
	}
	return nil
}
