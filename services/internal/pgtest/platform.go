package pgtest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/caravan-shop/caravan/services/internal/pg"
)

// WithSchemas opens a database that holds the given CREATE statements alone: the
// platform's own tables, tested apart from any service.
func WithSchemas(t testing.TB, schemas ...string) *pg.DB {
	t.Helper()
	up := "-- +goose Up\n" + strings.Join(schemas, "\n") + "\n"
	return Open(t, fstest.MapFS{"00001_platform.sql": {Data: []byte(up)}})
}
