// Package provision obtains what the stack runs: servers through their package clients, Dapr and our own programs by
// building them. Everything is unpacked or built once into a cache and verified against recorded checksums.
package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/caravan-shop/caravan/deploy/local/progress"
)

// Cache is the folder that all checkouts of a user share.
type Cache struct {
	dir  string
	root string // the checkout: recipes, checksums and sources come from here
	sums *Checksums
	out  *progress.Printer
}

// Open prepares the cache at dir (empty: CARAVAN_CACHE, then the user's cache folder) for the checkout at root.
func Open(dir, root string, out *progress.Printer) (*Cache, error) {
	if dir == "" {
		dir = os.Getenv("CARAVAN_CACHE")
	}
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no cache folder (set CARAVAN_CACHE): %w", err)
		}
		dir = filepath.Join(base, "caravan")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "locks"), 0o755); err != nil {
		return nil, err
	}
	sums, err := loadChecksums(filepath.Join(root, "deploy/local/checksums.txt"))
	if err != nil {
		return nil, err
	}
	return &Cache{dir: dir, root: root, sums: sums, out: out}, nil
}

// Dir is where the cache lies.
func (c *Cache) Dir() string { return c.dir }

func (c *Cache) recipe(parts ...string) string {
	return filepath.Join(append([]string{c.root, "deploy/local/servers"}, parts...)...)
}

// lock serialises work on one item between processes; the package clients are not safe to run twice on one store.
func (c *Cache) lock(item string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(c.dir, "locks", item), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("cache lock: %w", err)
	}
	return func() { _ = file.Close() }, nil
}

// once makes the folder <item>-<key> by fill, unless it is there. The folder appears whole or not at all. The key is
// drawn from everything that fill depends on, so that a changed recipe makes a new folder.
func (c *Cache) once(item, key, what string, fill func(dir string) error) (string, error) {
	final := filepath.Join(c.dir, item+"-"+key)
	if exists(final) {
		return final, nil
	}
	unlock, err := c.lock(item)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(final) {
		return final, nil
	}
	draft := final + ".part"
	_ = os.RemoveAll(draft)
	if err := os.MkdirAll(draft, 0o755); err != nil {
		return "", err
	}
	if err := c.out.Step(what, func() error { return fill(draft) }); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return final, os.Rename(draft, final)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// keyOf digests the content of files and further strings into a short folder suffix.
func keyOf(files []string, more ...string) (string, error) {
	digest := sha256.New()
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		digest.Write(content)
	}
	for _, text := range more {
		digest.Write([]byte(text))
	}
	return hex.EncodeToString(digest.Sum(nil))[:12], nil
}

// run executes a tool quietly; its output is shown only when it fails.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, lastLines(string(out), 25))
	}
	return nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
