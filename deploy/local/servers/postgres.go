package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caravan-shop/caravan/deploy/local/host"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// Postgres is a PostgreSQL server of the stack.
type Postgres struct {
	Program     string // the folder with bin/, lib/ and share/
	Data        string
	Port        int
	Password    string // of the superuser
	Connections int
	// Durable is off for a throwaway server: it then does not wait for the disk.
	Durable bool
}

// DSN is the superuser's connection to a database.
func (p Postgres) DSN(database string) string {
	return PostgresDSN("postgres", p.Password, p.Port, database)
}

// PostgresDSN is a role's connection to a database on loopback.
func PostgresDSN(role, password string, port int, database string) string {
	dsn := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Host: Loopback(port), Path: "/" + database, RawQuery: "sslmode=disable"}
	return dsn.String()
}

// DataFolder is where the data really lies: root's unprivileged server may need another place.
func (p Postgres) DataFolder() string { return reachable(p.Data) }

// Process describes the server.
func (p Postgres) Process() (*supervise.Process, error) {
	program, err := programCopy(p.Program)
	if err != nil {
		return nil, err
	}
	p.Program, p.Data = program, p.DataFolder()
	return &supervise.Process{
		Path: filepath.Join(program, "bin/postgres"), Args: p.arguments(), Env: basics(), Dir: "/",
		Credential: credential(), Prepare: p.prepare, Ready: p.Ready, ReadyWithin: 2 * time.Minute,
		// SIGINT is the fast shutdown; SIGTERM would wait for every client to leave.
		Stop: syscall.SIGINT, StopWithin: 30 * time.Second, Orphaned: syscall.SIGINT,
	}, nil
}

func (p Postgres) arguments() []string {
	return append([]string{"-D", p.Data, "-c", "unix_socket_directories="}, p.Settings()...)
}

// Settings are the arguments that any PostgreSQL of the stack gets, whatever folders it works in.
func (p Postgres) Settings() []string {
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(p.Port),
		"max_connections=" + strconv.Itoa(p.Connections), "shared_buffers=128MB", "max_wal_size=1GB",
		"timezone=UTC", "log_timezone=UTC", "log_line_prefix=%m [%p] %u@%d ", "log_checkpoints=off",
		// The detail of a refused statement quotes its row, and with it people.
		"log_error_verbosity=terse",
	}
	if !p.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	var args []string
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// prepare waits for the children of a killed server to go and makes the cluster on the first start.
func (p Postgres) prepare(ctx context.Context) error {
	if err := dataFolder(p.Data); err != nil {
		return err
	}
	if err := p.awaitVacant(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.Data, "PG_VERSION")); err == nil {
		return nil
	}
	return p.initialize(ctx)
}

// awaitVacant waits until no process works in the data folder: after kill -9 the old backends live on for a moment, and
// a start beside them dies. Those that stay are killed.
func (p Postgres) awaitVacant(ctx context.Context) error {
	patience := time.Now().Add(5 * time.Second)
	limit := time.Now().Add(15 * time.Second)
	for {
		left := host.WorkingIn(p.Data)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("pid %d of an earlier PostgreSQL still works in %s", left[0], p.Data)
		}
		if time.Now().After(patience) {
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p Postgres) initialize(ctx context.Context) error {
	passwordFile, err := p.writePassword()
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(passwordFile) }()
	args := []string{"-D", p.Data, "-U", "postgres", "--pwfile=" + passwordFile, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"}
	if !p.Durable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.Program, "bin/initdb"), args...)
	cmd.Env, cmd.Dir = basics(), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(), Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// writePassword leaves the superuser's password for initdb, readable by the server's user alone.
func (p Postgres) writePassword() (string, error) {
	path := p.Data + ".password"
	if err := os.WriteFile(path, []byte(p.Password+"\n"), 0o600); err != nil {
		return "", err
	}
	if asRoot() {
		return path, os.Chown(path, nobody, nobody)
	}
	return path, nil
}

// Ready probes whether the server takes connections.
func (p Postgres) Ready(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.DSN("postgres"))
	if err != nil {
		return errors.New("PostgreSQL does not answer yet") // pgx's own text repeats the connection string
	}
	return conn.Close(ctx)
}
