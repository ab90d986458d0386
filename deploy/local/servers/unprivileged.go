// Package servers describes each server of the native stack as a process value: how it is prepared, started, probed and
// stopped. The folders beside it hold what the servers read: poms, configuration, the sources of the Elasticsearch node.
package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// nobody is the user that PostgreSQL runs as when the stack is started by root: the server refuses root.
const nobody = 65534

func asRoot() bool { return os.Geteuid() == 0 }

// credential is who an unprivileged server runs as; nil is the present user.
func credential() *syscall.Credential {
	if !asRoot() {
		return nil
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// reachable answers dir itself when an unprivileged server can get there, else a twin under /var/tmp: below a root-only
// home it could not even look up its own files.
func reachable(dir string) string {
	if !asRoot() || openToAll(dir) {
		return dir
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join("/var/tmp", "caravan-"+hex.EncodeToString(sum[:6]), filepath.Base(dir))
}

func openToAll(dir string) bool {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if at == filepath.Dir(at) {
			return true
		}
	}
}

// programCopy gives an unprivileged server a copy of a program folder that it can reach.
func programCopy(dir string) (string, error) {
	to := reachable(dir)
	if to == dir {
		return dir, nil
	}
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	draft := to + ".part" + strconv.Itoa(os.Getpid())
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	if err := os.CopyFS(draft, os.DirFS(dir)); err != nil {
		return "", fmt.Errorf("copy %s: %w", dir, err)
	}
	if err := os.Rename(draft, to); err != nil {
		if _, there := os.Stat(to); there == nil {
			return to, os.RemoveAll(draft) // another stack was faster
		}
		return "", err
	}
	return to, nil
}

// dataFolder makes the folder that the unprivileged server owns.
func dataFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if asRoot() {
		return os.Chown(dir, nobody, nobody)
	}
	return nil
}

// Loopback is the address of a port on this machine.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Listening probes whether something accepts connections.
func Listening(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// basics is the environment that every server gets.
func basics() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "TMPDIR=" + os.TempDir()}
}
