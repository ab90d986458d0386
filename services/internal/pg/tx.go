package pg

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// openTx is a transaction under way. Each round trip wakes two processes, so
// BEGIN travels with the first statement, and what Later was given with the next
// one or, if no callback may refuse it, with COMMIT.
type openTx struct {
	pool  *pgxpool.Pool
	conn  *pgxpool.Conn // nil once it died and no other was to be had
	begun bool
	later []*pgx.QueuedQuery
	hooks []func()
	// refused is the first error of a joined part or of a statement that others
	// travelled behind: nothing may be committed then, even if the caller went on.
	refused error
}

// endTimeout bounds COMMIT and ROLLBACK, which are sent even when the request
// has been given up in between: an outcome that nobody knows helps nobody. With
// statements before it COMMIT has longer than the server gives any of them.
const (
	endTimeout  = 5 * time.Second
	lateTimeout = 15 * time.Second
)

// idle is the server's word for a connection outside of any transaction.
const idle = 'I'

// alone tells that a statement has nothing to travel with.
func (o *openTx) alone() bool { return o.conn != nil && o.begun && len(o.later) == 0 }

// Exec implements Querier.
func (o *openTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if o.alone() {
		return o.conn.Exec(ctx, sql, args...)
	}
	res := o.send(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	tag, err := res.Exec()
	if closing := res.Close(); err == nil {
		err = closing
	}
	return tag, err
}

// Query implements Querier.
func (o *openTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if o.alone() {
		return o.conn.Query(ctx, sql, args...)
	}
	res := o.send(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	rows, err := res.Query()
	if err != nil {
		_ = res.Close() // callers need not close rows that come with an error
	}
	return &lastRows{Rows: rows, res: res}, err
}

// QueryRow implements Querier.
func (o *openTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if o.alone() {
		return o.conn.QueryRow(ctx, sql, args...)
	}
	rows, _ := o.Query(ctx, sql, args...) // rows know the error too
	return firstRow{rows}
}

// SendBatch implements Querier.
func (o *openTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if o.alone() {
		return o.conn.SendBatch(ctx, b)
	}
	return o.send(ctx, b.QueuedQueries...)
}

// CopyFrom implements Querier.
func (o *openTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	if !o.alone() {
		if err := o.send(ctx).Close(); err != nil {
			return 0, err
		}
	}
	return o.conn.CopyFrom(ctx, table, columns, src)
}

// send gives what has waited and then statements in one go; the results are those
// of the latter. An error of what has waited is the error of each.
func (o *openTx) send(ctx context.Context, statements ...*pgx.QueuedQuery) pgx.BatchResults {
	if o.conn == nil {
		return failed{err: o.refused}
	}
	first, waited := !o.begun, o.later
	o.begun, o.later = true, nil
	res, err := o.sendBehind(ctx, first, waited, statements)
	if err != nil && first && o.replace(ctx, err) {
		res, err = o.sendBehind(ctx, first, waited, statements)
	}
	if err == nil {
		return res
	}
	if o.refused == nil {
		o.refused = err
	}
	if o.conn != nil && !o.conn.Conn().IsClosed() && o.conn.Conn().PgConn().TxStatus() == idle {
		_ = o.conn.Conn().Close(ctx) // BEGIN did not get through: nothing may run outside of it
	}
	return res
}

func (o *openTx) sendBehind(ctx context.Context, begin bool, waited, statements []*pgx.QueuedQuery) (pgx.BatchResults, error) {
	b := &pgx.Batch{}
	if begin {
		b.Queue("begin")
	}
	for _, all := range [][]*pgx.QueuedQuery{waited, statements} {
		for _, q := range all {
			b.Queue(q.SQL, q.Arguments...).Fn = q.Fn // a batch is sent once, by pgx's rule
		}
	}
	res := o.conn.SendBatch(ctx, b)
	for _, q := range b.QueuedQueries[:b.Len()-len(statements)] {
		if err := result(res, q); err != nil {
			for _, behind := range b.QueuedQueries {
				behind.Fn = nil // as pgx has it: after an error no callback runs
			}
			_ = res.Close()
			return failed{err: err}, err
		}
	}
	return res, nil
}

func hasCallback(q *pgx.QueuedQuery) bool { return q.Fn != nil }

// result reads one result, as its callback does if it has one.
func result(res pgx.BatchResults, q *pgx.QueuedQuery) error {
	if q.Fn != nil {
		return q.Fn(res)
	}
	_, err := res.Exec()
	return err
}

// replace takes another connection when a pooled one turns out to be dead: after a
// restart of the server all of them are. What was sent on it is rolled back there,
// as COMMIT never travels with BEGIN. A server that can't be reached is not tried again.
func (o *openTx) replace(ctx context.Context, err error) bool {
	if !o.conn.Conn().IsClosed() || !Transient(err) || ctx.Err() != nil {
		return false
	}
	// Given back before another is asked for: all of the pool may do so at once.
	o.conn.Release()
	o.conn = nil
	o.pool.Reset()
	o.conn, err = o.pool.Acquire(ctx)
	return err == nil
}

func (o *openTx) commit(ctx context.Context) error {
	if !o.begun && len(o.later) == 0 {
		return nil
	}
	within := endTimeout
	if len(o.later) > 0 {
		within = lateTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if !o.begun || slices.ContainsFunc(o.later, hasCallback) { // which may refuse
		if err := o.send(ctx).Close(); err != nil {
			return err
		}
	}
	tag, err := o.Exec(ctx, "commit")
	if err == nil && tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return err
}

// release rolls back what has not been committed and gives the connection back.
func (o *openTx) release(ctx context.Context) {
	if o.conn == nil {
		return
	}
	defer o.conn.Release()
	if raw := o.conn.Conn(); raw.IsClosed() || raw.PgConn().TxStatus() == idle {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if _, err := o.conn.Exec(ctx, "rollback"); err != nil {
		_ = o.conn.Conn().Close(ctx)
	}
}

// lastRows are the last result of a batch, and end it.
type lastRows struct {
	pgx.Rows
	res     pgx.BatchResults
	closing error
}

func (r *lastRows) Next() bool {
	more := r.Rows.Next()
	if !more {
		r.Close()
	}
	return more
}

func (r *lastRows) Close() {
	r.Rows.Close()
	r.closing = r.res.Close()
}

func (r *lastRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.closing
}

// firstRow is what QueryRow gives: a result of at most one row.
type firstRow struct{ rows pgx.Rows }

func (r firstRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// failed is the results of what came behind a statement that failed.
type failed struct{ err error }

func (f failed) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, f.err }
func (f failed) Query() (pgx.Rows, error)         { return failedRows{err: f.err}, f.err }
func (f failed) QueryRow() pgx.Row                { return failedRows{err: f.err} }
func (f failed) Close() error                     { return f.err }
func (f failed) Tx() pgx.Tx                       { return nil }

type failedRows struct {
	pgx.Rows
	err error
}

func (f failedRows) Next() bool        { return false }
func (f failedRows) Scan(...any) error { return f.err }
func (f failedRows) Err() error        { return f.err }
func (f failedRows) Close()            {}
