package pgtest

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
)

var update = flag.Bool("update", false, "rewrite golden files")

const describeSchema = `
SELECT line FROM (
    SELECT c.relname AS rel, 1 AS part, a.attnum AS pos,
           format('%s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
                  coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')) AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND c.relname NOT LIKE 'goose%'
    UNION ALL
    SELECT c.relname, 2, 0, format('%s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    WHERE c.relname NOT LIKE 'goose%'
    UNION ALL
    SELECT i.tablename, 3, 0, i.indexdef FROM pg_indexes i
    WHERE i.schemaname = 'public' AND i.tablename NOT LIKE 'goose%'
) AS lines ORDER BY rel, part, pos, line`

// Golden holds the live schema (columns, constraints, indexes) against a file.
// `go test -update` rewrites it.
func Golden(t *testing.T, db *pg.DB, path string) {
	t.Helper()
	ctx := context.Background()
	rows, err := db.Conn(ctx).Query(ctx, describeSchema)
	if err != nil {
		t.Fatalf("describe schema: %v", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("describe schema: %v", err)
	}
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden schema: %v (run with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema differs from %s (-want +got):\n%s", path, diff)
	}
}
