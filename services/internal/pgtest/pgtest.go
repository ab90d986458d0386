// Package pgtest gives each test a database of its own on a real PostgreSQL,
// cloned from a template that has the service's migrations applied.
package pgtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/services/internal/pg"
)

// Server is the environment variable with a superuser's connection URL.
const Server = "CARAVAN_TEST_POSTGRES"

const setupTimeout = 60 * time.Second

// Open clones the migrated template for one test and drops the clone after.
func Open(t testing.TB, migrations fs.FS) *pg.DB {
	t.Helper()
	dsn := Clone(t, template(t, migrations))
	db, err := pg.Open(context.Background(), dsn, pg.Options{MaxConns: 12})
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(db.Close)
	return db
}

// Clone makes a database from a template and returns its URL.
func Clone(t testing.TB, template string) string {
	t.Helper()
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	server := serverURL(t)
	exec(t, server, fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s`, name, template))
	t.Cleanup(func() { exec(t, server, fmt.Sprintf(`DROP DATABASE IF EXISTS %s WITH (FORCE)`, name)) })
	return databaseURL(t, name)
}

// template makes the migrated database once per content of the migrations.
func template(t testing.TB, migrations fs.FS) string {
	t.Helper()
	name := "template_" + digest(t, migrations)
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, serverURL(t))
	if err != nil {
		t.Fatalf("connect to %s: %v", Server, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	// Test processes of several packages may come at once.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(7070)`); err != nil {
		t.Fatalf("lock templates: %v", err)
	}
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)`, name).Scan(&exists); err != nil {
		t.Fatalf("look for template: %v", err)
	}
	if exists {
		return name
	}
	for _, sql := range []string{`DROP DATABASE IF EXISTS ` + name, `CREATE DATABASE ` + name} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := pg.Migrate(ctx, databaseURL(t, name), migrations); err != nil {
		t.Fatalf("migrate template: %v", err)
	}
	if _, err := conn.Exec(ctx, `ALTER DATABASE `+name+` IS_TEMPLATE true`); err != nil {
		t.Fatalf("mark template: %v", err)
	}
	return name
}

// UpDownUp applies the migrations, takes them all back, and applies them again.
func UpDownUp(t *testing.T, migrations fs.FS) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	db, err := sql.Open("pgx", Clone(t, "template0"))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer func() { _ = db.Close() }()
	p, err := pg.Migrator(db, migrations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(ctx); err != nil {
		t.Fatalf("up: %v", err)
	}
	if _, err := p.DownTo(ctx, 0); err != nil {
		t.Fatalf("down: %v", err)
	}
	if _, err := p.Up(ctx); err != nil {
		t.Fatalf("up again: %v", err)
	}
}

func digest(t testing.TB, migrations fs.FS) string {
	t.Helper()
	h := sha256.New()
	err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(migrations, path)
		h.Write(fmt.Appendf(nil, "%s %d ", path, len(body)))
		h.Write(body)
		return err
	})
	if err != nil {
		t.Fatalf("read migrations: %v", err)
	}
	return hex.EncodeToString(h.Sum(nil))[:24]
}

func serverURL(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(Server)
	if dsn == "" {
		t.Fatalf("%s is not set: run the tests by `make test`, or below `caravan testdb --`", Server)
	}
	return dsn
}

func databaseURL(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(serverURL(t))
	if err != nil {
		t.Fatalf("%s is not a URL", Server)
	}
	u.Path = "/" + name
	return u.String()
}

func exec(t testing.TB, dsn, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to %s: %v", Server, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
