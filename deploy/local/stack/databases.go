package stack

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/deploy/local/servers"
)

func database(service string) string  { return service + "_service_db" }
func ownerRole(service string) string { return service + "_owner" }
func appRole(service string) string   { return service + "_app" }
func readRole(service string) string  { return service + "_ro" }

// makeDatabases gives each relational service a database of its own and three roles: the owner migrates, the app reads
// and writes rows, ro reads. No role may even connect to another service's database. It is safe to repeat.
func makeDatabases(ctx context.Context, server servers.Postgres, passwords map[string]string) error {
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect as superuser: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, shared := range []string{"postgres", "template1"} {
		if _, err := conn.Exec(ctx, "REVOKE CONNECT, TEMPORARY ON DATABASE "+quoted(shared)+" FROM PUBLIC"); err != nil {
			return fmt.Errorf("close %s: %w", shared, err)
		}
	}
	for _, service := range relational() {
		if err := makeDatabase(ctx, conn, service, passwords); err != nil {
			return fmt.Errorf("database of %s: %w", service, err)
		}
		if err := grantTables(ctx, server, service); err != nil {
			return fmt.Errorf("rights in the database of %s: %w", service, err)
		}
	}
	return nil
}

func makeDatabase(ctx context.Context, conn *pgx.Conn, service string, passwords map[string]string) error {
	for _, role := range []string{ownerRole(service), appRole(service), readRole(service)} {
		if err := makeRole(ctx, conn, role, passwords[role]); err != nil {
			return err
		}
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database(service)).Scan(&there); err != nil {
		return err
	}
	name := quoted(database(service))
	statements := []string{
		"REVOKE CONNECT, TEMPORARY ON DATABASE " + name + " FROM PUBLIC",
		fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s, %s", name, quoted(appRole(service)), quoted(readRole(service))),
	}
	if !there {
		statements = append([]string{"CREATE DATABASE " + name + " OWNER " + quoted(ownerRole(service))}, statements...)
	}
	return execAll(ctx, conn, statements)
}

func makeRole(ctx context.Context, conn *pgx.Conn, role, password string) error {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&there); err != nil {
		return err
	}
	verb := "ALTER"
	if !there {
		verb = "CREATE"
	}
	// A generated password is hexadecimal; DDL takes no parameters.
	_, err := conn.Exec(ctx, fmt.Sprintf("%s ROLE %s LOGIN PASSWORD '%s'", verb, quoted(role), password))
	return err
}

// grantTables gives app and ro their rights on whatever the owner makes, now and later.
func grantTables(ctx context.Context, server servers.Postgres, service string) error {
	conn, err := pgx.Connect(ctx, server.DSN(database(service)))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	defaults := "ALTER DEFAULT PRIVILEGES FOR ROLE " + quoted(ownerRole(service)) + " GRANT "
	app, ro := quoted(appRole(service)), quoted(readRole(service))
	return execAll(ctx, conn, []string{
		defaults + "SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + app,
		defaults + "USAGE, SELECT ON SEQUENCES TO " + app,
		defaults + "USAGE ON SCHEMAS TO " + app + ", " + ro,
		defaults + "SELECT ON TABLES TO " + ro,
		defaults + "SELECT ON SEQUENCES TO " + ro,
	})
}

func execAll(ctx context.Context, conn *pgx.Conn, statements []string) error {
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
