package provision

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/xi2/xz"
)

// Postgres unpacks the PostgreSQL server and answers its folder (bin/, lib/, share/).
func (c *Cache) Postgres(ctx context.Context) (string, error) {
	dir, err := c.archives(ctx)
	if err != nil {
		return "", err
	}
	jar, err := only(filepath.Join(dir, "embedded-postgres-binaries-*.jar"))
	if err != nil {
		return "", err
	}
	sum, err := sumOf(jar)
	if err != nil {
		return "", err
	}
	return c.once("postgres", sum[:12], "unpack PostgreSQL", func(dir string) error {
		return fromZip(jar, ".txz", func(packed io.Reader) error { return unpackTarXZ(packed, dir) })
	})
}

// Redis unpacks the Redis server and answers the path of its program.
func (c *Cache) Redis(ctx context.Context) (string, error) {
	dir, err := c.archives(ctx)
	if err != nil {
		return "", err
	}
	jar, err := only(filepath.Join(dir, "embedded-redis-*.jar"))
	if err != nil {
		return "", err
	}
	sum, err := sumOf(jar)
	if err != nil {
		return "", err
	}
	dir, err = c.once("redis", sum[:12], "unpack Redis", func(dir string) error {
		return fromZip(jar, "-linux-"+goarch(), func(program io.Reader) error {
			return writeFile(filepath.Join(dir, "redis-server"), program, 0o755)
		})
	})
	return filepath.Join(dir, "redis-server"), err
}

func only(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("want one %s, found %d", filepath.Base(pattern), len(found))
	}
	return found[0], nil
}

// fromZip hands the first entry with the given ending to use.
func fromZip(path, ending string, use func(io.Reader) error) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	for _, entry := range archive.File {
		if !strings.HasSuffix(entry.Name, ending) {
			continue
		}
		content, err := entry.Open()
		if err != nil {
			return err
		}
		defer func() { _ = content.Close() }()
		return use(content)
	}
	return fmt.Errorf("%s holds no *%s", filepath.Base(path), ending)
}

func unpackTarXZ(packed io.Reader, dir string) error {
	plain, err := xz.NewReader(packed, 0)
	if err != nil {
		return err
	}
	entries := tar.NewReader(plain)
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(entries, entry, dir); err != nil {
			return err
		}
	}
}

func unpackEntry(content io.Reader, entry *tar.Header, dir string) error {
	if !filepath.IsLocal(entry.Name) {
		return fmt.Errorf("archive entry %q leads outside", entry.Name)
	}
	path := filepath.Join(dir, entry.Name)
	switch entry.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(entry.Linkname, path)
	case tar.TypeReg:
		return writeFile(path, content, entry.FileInfo().Mode().Perm()|0o644)
	default:
		return nil
	}
}

func writeFile(path string, content io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}
