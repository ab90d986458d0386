package provision

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caravan-shop/caravan/deploy/local/progress"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestChecksumIsRecordedThenHeld(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "checksums.txt")
	artefact := write(t, filepath.Join(dir, "server.jar"), "as published")
	for range 2 { // recorded, then found equal
		sums, err := loadChecksums(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := sums.verify([]string{artefact}); err != nil {
			t.Fatalf("verify: %v", err)
		}
	}
	write(t, artefact, "as changed")
	sums, err := loadChecksums(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := sums.verify([]string{artefact}); err == nil || !strings.Contains(err.Error(), "server.jar") {
		t.Errorf("a changed artefact gives %v, want an error that names it", err)
	}
}

func TestFolderAppearsWholeOrNotAtAll(t *testing.T) {
	cache, err := Open(t.TempDir(), t.TempDir(), progress.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("line dropped")
	if _, err := cache.once("thing", "1", "fetch", func(dir string) error {
		write(t, filepath.Join(dir, "half"), "")
		return broken
	}); !errors.Is(err, broken) {
		t.Fatalf("error = %v", err)
	}
	calls := 0
	for range 2 {
		dir, err := cache.once("thing", "1", "fetch", func(dir string) error {
			calls++
			write(t, filepath.Join(dir, "whole"), "")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if exists(filepath.Join(dir, "half")) || !exists(filepath.Join(dir, "whole")) {
			t.Error("the folder holds something else than the last fill made")
		}
	}
	if calls != 1 {
		t.Errorf("filled %d times, want once", calls)
	}
}

func TestArchiveStaysInItsFolder(t *testing.T) {
	err := unpackEntry(strings.NewReader(""), &tar.Header{Name: "../outside", Typeflag: tar.TypeReg}, t.TempDir())
	if err == nil {
		t.Error("an entry that leads outside was unpacked")
	}
}
