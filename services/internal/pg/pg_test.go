package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/internal/pgtest"
)

func open(t *testing.T) *pg.DB {
	t.Helper()
	return pgtest.WithSchemas(t, `CREATE TABLE notes (note text NOT NULL CONSTRAINT notes_note_key UNIQUE);`)
}

func write(ctx context.Context, db *pg.DB, note string) error {
	_, err := db.Conn(ctx).Exec(ctx, `INSERT INTO notes (note) VALUES ($1)`, note)
	return err
}

func notes(t *testing.T, db *pg.DB) int {
	t.Helper()
	var n int
	if err := db.Conn(context.Background()).QueryRow(context.Background(), `SELECT count(*) FROM notes`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestJoinedPartThatFailsIsNeverCommitted(t *testing.T) {
	db, no := open(t), errors.New("no")
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		_ = db.InTx(ctx, func(ctx context.Context) error {
			if err := write(ctx, db, "half"); err != nil {
				return err
			}
			return no
		})
		return write(ctx, db, "rest")
	})
	if !errors.Is(err, no) {
		t.Errorf("got %v, want the error that was swallowed", err)
	}
	if got := notes(t, db); got != 0 {
		t.Errorf("committed %d notes, want 0", got)
	}
}

func TestGivenUpRequestCommitsNothing(t *testing.T) {
	db := open(t)
	ctx, giveUp := context.WithCancel(context.Background())
	ran := false
	err := db.InTx(ctx, func(ctx context.Context) error {
		pg.AfterCommit(ctx, func() { ran = true })
		err := write(ctx, db, "late")
		giveUp()
		return err
	})
	if !errors.Is(err, context.Canceled) || ran || notes(t, db) != 0 {
		t.Errorf("got %v, hook ran %v, %d notes; want canceled, false, 0", err, ran, notes(t, db))
	}
}

func TestHooksRunOnceAfterTheOutermostCommit(t *testing.T) {
	db := open(t)
	seen := -1
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		err := db.InTx(ctx, func(ctx context.Context) error {
			pg.AfterCommit(ctx, func() { seen = notes(t, db) })
			return write(ctx, db, "a")
		})
		if seen != -1 {
			t.Error("hook ran before the commit")
		}
		return err
	})
	if err != nil || seen != 1 {
		t.Errorf("got %v with %d notes seen by the hook, want nil with 1", err, seen)
	}
}

func TestLockTimeoutIsTransientAndNamesNoConstraint(t *testing.T) {
	db := open(t)
	ctx := context.Background()
	err := db.InTx(ctx, func(held context.Context) error {
		if err := write(held, db, "same"); err != nil {
			return err
		}
		err := db.InTx(ctx, func(ctx context.Context) error {
			if _, err := db.Conn(ctx).Exec(ctx, `SET LOCAL lock_timeout = '50ms'`); err != nil {
				return err
			}
			return write(ctx, db, "same")
		})
		if name, found := pg.ConstraintOf(err); !pg.Transient(err) || found {
			t.Errorf("lock timeout %v: transient %v, constraint %q; want true and none", err, pg.Transient(err), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if name, _ := pg.ConstraintOf(write(ctx, db, "same")); name != "notes_note_key" {
		t.Errorf("constraint: got %q, want notes_note_key", name)
	}
}

func TestConnectionThatDiesIsTransient(t *testing.T) {
	db := open(t)
	ctx := context.Background()
	_, err := db.Conn(ctx).Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
	if !pg.Transient(err) {
		t.Errorf("got %v, want a transient error", err)
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		{&pgconn.PgError{Code: "08006"}, true},
		{&pgconn.PgError{Code: "23505"}, false},
		{errors.New("other"), false},
		{nil, false},
	} {
		if got := pg.Transient(c.err); got != c.want {
			t.Errorf("Transient(%v): got %v, want %v", c.err, got, c.want)
		}
	}
}

// After a restart of the server every pooled connection is dead: no caller may
// come to know that.
func TestDeadConnectionsAreReplacedUnnoticed(t *testing.T) {
	db, ctx := open(t), context.Background()
	var open sync.WaitGroup
	ready := make(chan struct{})
	for range 4 {
		open.Go(func() {
			_ = db.InTx(ctx, func(context.Context) error { <-ready; return nil })
		})
	}
	for db.Pool().Stat().AcquiredConns() < 4 {
		time.Sleep(time.Millisecond)
	}
	close(ready)
	open.Wait()
	killAll(t, db)
	for n := range 4 {
		if err := db.InTx(ctx, func(ctx context.Context) error { return write(ctx, db, strconv.Itoa(n)) }); err != nil {
			t.Errorf("transaction %d after the restart: %v", n, err)
		}
	}
}

// killAll ends every connection to the test's database.
func killAll(t *testing.T, db *pg.DB) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.ConnectConfig(ctx, db.Pool().Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	const kill = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	if _, err := conn.Exec(ctx, kill); err != nil {
		t.Fatal(err)
	}
}

func TestExhaustedPoolAnswersByTheDeadline(t *testing.T) {
	db := open(t)
	hold, held := make(chan struct{}), make(chan struct{}, 12)
	defer close(hold)
	for range 12 { // the pool of pgtest
		go func() {
			_ = db.InTx(context.Background(), func(context.Context) error { held <- struct{}{}; <-hold; return nil })
		}()
	}
	for range 12 {
		<-held
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := db.InTx(ctx, func(context.Context) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want deadline exceeded", err)
	}
}
