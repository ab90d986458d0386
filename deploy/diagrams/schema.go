package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // goose speaks database/sql
	"github.com/pressly/goose/v3"
)

// column is one column of a table, or one field of a document.
type column struct {
	Name, Type       string
	Primary, Null    bool
	Unique           bool // alone, or it is the whole primary key
	References       string
	ReferencesColumn string
}

// table is a table or a collection.
type table struct {
	Name    string
	Columns []column
}

func (t table) column(name string) (column, bool) {
	at := slices.IndexFunc(t.Columns, func(c column) bool { return c.Name == name })
	if at < 0 {
		return column{}, false
	}
	return t.Columns[at], true
}

const columnsSQL = `
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)),
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u') AND k.conkey = ARRAY[a.attnum]),
       coalesce(f.relname, ''), coalesce(f.attname, '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    SELECT r.relname, ra.attname
    FROM pg_constraint k
    JOIN pg_class r ON r.oid = k.confrelid
    JOIN pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = k.confkey[array_position(k.conkey, a.attnum)]
    WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
    ORDER BY k.conname LIMIT 1) f ON true
WHERE c.relkind IN ('r', 'p') AND c.relname <> 'goose_db_version'
ORDER BY c.relname, a.attnum`

// readSchema applies a service's migrations to an empty database and reads back what tables they make.
func readSchema(ctx context.Context, server, root, service string) ([]table, error) {
	name := "diagrams_" + service
	if err := replaceDatabase(ctx, server, name); err != nil {
		return nil, err
	}
	address, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	address.Path = name
	db, err := sql.Open("pgx", address.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	migrations := os.DirFS(filepath.Join(root, "services", service, "internal/postgres/migrations"))
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", service, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return nil, fmt.Errorf("migrate %s: %w", service, err)
	}
	return readTables(ctx, db)
}

func replaceDatabase(ctx context.Context, server, name string) error {
	db, err := sql.Open("pgx", server)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("database %s: %w", name, err)
		}
	}
	return nil
}

func readTables(ctx context.Context, db *sql.DB) ([]table, error) {
	rows, err := db.QueryContext(ctx, columnsSQL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var tables []table
	for rows.Next() {
		var name string
		var c column
		if err := rows.Scan(&name, &c.Name, &c.Type, &c.Null, &c.Primary, &c.Unique, &c.References, &c.ReferencesColumn); err != nil {
			return nil, err
		}
		c.Type = strings.NewReplacer("timestamp with time zone", "timestamptz", "character varying", "varchar").Replace(c.Type)
		if len(tables) == 0 || tables[len(tables)-1].Name != name {
			tables = append(tables, table{Name: name})
		}
		last := &tables[len(tables)-1]
		last.Columns = append(last.Columns, c)
	}
	return tables, rows.Err()
}
