package pg_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/pg"
)

func later(ctx context.Context, t *testing.T, db *pg.DB, note string) {
	t.Helper()
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO notes (note) VALUES ($1)`, note)
	if err := db.Later(ctx, b); err != nil {
		t.Errorf("queue %q: %v", note, err)
	}
}

func TestLaterIsSeenByWhatFollows(t *testing.T) {
	db, ctx := open(t), context.Background()
	later(ctx, t, db, "outside") // at once
	err := db.InTx(ctx, func(ctx context.Context) error {
		for want := 2; want < 10; want += 4 { // before and after BEGIN has gone
			later(ctx, t, db, string(rune('a'+want)))
			var n int
			if err := db.Conn(ctx).QueryRow(ctx, `SELECT count(*) FROM notes`).Scan(&n); err != nil || n != want {
				t.Errorf("row: got %d and %v, want %d", n, err, want)
			}
			later(ctx, t, db, string(rune('b'+want)))
			rows, err := db.Conn(ctx).Query(ctx, `SELECT note FROM notes`)
			if all, cerr := pgx.CollectRows(rows, pgx.RowTo[string]); len(all) != want+1 || err != nil || cerr != nil {
				t.Errorf("rows: got %q, %v and %v, want %d", all, err, cerr, want+1)
			}
			later(ctx, t, db, string(rune('c'+want)))
			if tag, err := db.Conn(ctx).Exec(ctx, `UPDATE notes SET note = note`); err != nil || tag.RowsAffected() != int64(want+2) {
				t.Errorf("tag: got %s and %v, want %d", tag, err, want+2)
			}
			later(ctx, t, db, string(rune('d'+want)))
			_, err = db.Conn(ctx).CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"note"}, pgx.CopyFromRows(nil))
			if err != nil {
				t.Error(err)
			}
		}
		later(ctx, t, db, "last")
		return nil
	})
	if got := notes(t, db); err != nil || got != 10 {
		t.Errorf("got %d notes and %v, want 10", got, err)
	}
}

func TestLaterRunsItsCallbacks(t *testing.T) {
	db, no := open(t), errors.New("no")
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO notes (note) VALUES ('a')`).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() != 1 {
				t.Errorf("callback got %s", tag)
			}
			return no
		})
		return db.Later(ctx, b)
	})
	if got := notes(t, db); !errors.Is(err, no) || got != 0 {
		t.Errorf("got %d notes and %v, want none and the callback's error", got, err)
	}
}

// A refusal that the caller does not look at is none the less one, and no callback behind it runs.
func TestARefusalThatIsSwallowedIsNotCommitted(t *testing.T) {
	db, no := open(t), errors.New("no")
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO notes (note) VALUES ('a')`).Exec(func(pgconn.CommandTag) error { return no })
		b.Queue(`INSERT INTO notes (note) VALUES ('b')`).Exec(func(pgconn.CommandTag) error { t.Error("a callback ran behind a refusal"); return nil })
		if err := db.Later(ctx, b); err != nil {
			return err
		}
		_ = write(ctx, db, "c")
		return nil
	})
	if got := notes(t, db); !errors.Is(err, no) || got != 0 {
		t.Errorf("got %d notes and %v, want none and the callback's error", got, err)
	}
}

// All connections of the pool may find theirs dead at the same time.
func TestAFullPoolOfDeadConnectionsIsReplaced(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	const all = 12 // the pool of pgtest
	var began, ended sync.WaitGroup
	killed := make(chan struct{})
	began.Add(all)
	for n := range all {
		ended.Go(func() {
			err := db.InTx(ctx, func(ctx context.Context) error {
				began.Done()
				<-killed
				return write(ctx, db, strconv.Itoa(n))
			})
			if err != nil {
				t.Errorf("transaction %d: %v", n, err)
			}
		})
	}
	began.Wait()
	killAll(t, db)
	close(killed)
	ended.Wait()
	if got := notes(t, db); got != all {
		t.Errorf("%d notes, want %d", got, all)
	}
}

// An error at the first row must not cost the connection.
func TestARefusedQueryKeepsTheConnection(t *testing.T) {
	db := open(t)
	var before, after uint32
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		if err := write(ctx, db, "same"); err != nil {
			return err
		}
		return db.Conn(ctx).QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&before)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.InTx(context.Background(), func(ctx context.Context) error {
		rows, err := db.Conn(ctx).Query(ctx, `INSERT INTO notes (note) VALUES ('same') RETURNING note`)
		if err != nil {
			return err
		}
		defer rows.Close()
		return rows.Err()
	})
	if constraint, _ := pg.ConstraintOf(err); constraint != "notes_note_key" {
		t.Errorf("got %v", err)
	}
	if err := db.Conn(context.Background()).QueryRow(context.Background(), `SELECT pg_backend_pid()`).Scan(&after); err != nil || after != before {
		t.Errorf("connection %d afterwards (%v), want %d", after, err, before)
	}
}

func TestLaterAloneIsCommitted(t *testing.T) {
	db := open(t)
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		later(ctx, t, db, "a")
		return nil
	})
	if got := notes(t, db); err != nil || got != 1 {
		t.Errorf("got %d notes and %v, want 1", got, err)
	}
}

func TestLaterThatFailsUndoesAll(t *testing.T) {
	for name, next := range map[string]func(ctx context.Context, db *pg.DB) error{
		"commit": func(context.Context, *pg.DB) error { return nil },
		"exec":   func(ctx context.Context, db *pg.DB) error { return write(ctx, db, "next") },
		"row": func(ctx context.Context, db *pg.DB) error {
			return db.Conn(ctx).QueryRow(ctx, `SELECT 1`).Scan(new(int))
		},
		"rows": func(ctx context.Context, db *pg.DB) error {
			rows, _ := db.Conn(ctx).Query(ctx, `SELECT 1`)
			_, err := pgx.CollectRows(rows, pgx.RowTo[int])
			return err
		},
		"swallowed": func(ctx context.Context, db *pg.DB) error { _ = write(ctx, db, "next"); return nil },
	} {
		db := open(t)
		ran := false
		err := db.InTx(context.Background(), func(ctx context.Context) error {
			pg.AfterCommit(ctx, func() { ran = true })
			if err := write(ctx, db, "same"); err != nil {
				return err
			}
			later(ctx, t, db, "same")
			return next(ctx, db)
		})
		if err == nil || ran || notes(t, db) != 0 {
			t.Errorf("%s: got %v, hook ran %v, %d notes; want an error, false, 0", name, err, ran, notes(t, db))
		}
		if constraint, _ := pg.ConstraintOf(err); name != "swallowed" && constraint != "notes_note_key" {
			t.Errorf("%s: got constraint %q of %v", name, constraint, err)
		}
		if err := db.InTx(context.Background(), func(ctx context.Context) error { return write(ctx, db, "after") }); err != nil {
			t.Errorf("%s: the connection afterwards: %v", name, err)
		}
	}
}

// A statement that the server refuses to prepare is refused before BEGIN has run.
func TestNothingRunsOutsideOfATransactionThatDidNotBegin(t *testing.T) {
	db := open(t)
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		if _, err := db.Conn(ctx).Exec(ctx, `INSERT INTO nowhere VALUES ($1)`, 1); err == nil {
			t.Error("a table that does not exist took a row")
		}
		_ = write(ctx, db, "outside")
		return nil
	})
	if err == nil || notes(t, db) != 0 {
		t.Errorf("got %v and %d notes, want an error and none", err, notes(t, db))
	}
}

func TestConnectionThatDiesInATransactionUndoesIt(t *testing.T) {
	db := open(t)
	runs := 0
	err := db.InTx(context.Background(), func(ctx context.Context) error {
		runs++
		if err := write(ctx, db, "lost"); err != nil {
			return err
		}
		_, _ = db.Conn(ctx).Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		later(ctx, t, db, "late")
		return nil
	})
	if !pg.Transient(err) || runs != 1 || notes(t, db) != 0 {
		t.Errorf("got %v after %d runs with %d notes; want a transient error after 1 with none", err, runs, notes(t, db))
	}
}

func TestAPanicGivesTheConnectionBack(t *testing.T) {
	db := open(t)
	func() {
		defer func() { _ = recover() }()
		_ = db.InTx(context.Background(), func(ctx context.Context) error {
			_ = write(ctx, db, "half")
			panic(errors.New("boom"))
		})
	}()
	if got, held := notes(t, db), db.Pool().Stat().AcquiredConns(); got != 0 || held != 0 {
		t.Errorf("got %d notes and %d connections held, want none", got, held)
	}
}
