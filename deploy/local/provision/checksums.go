package provision

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Checksums is the list of artefacts that the repository trusts. An artefact that is not in it yet (another platform,
// a new version) is recorded on first use; one that differs from its record is refused.
type Checksums struct {
	mu    sync.Mutex
	path  string
	known map[string]string
}

const checksumsHead = `# SHA-256 of every artefact that the native stack downloads, recorded on first use and verified on every start.
# A line is a checksum and the artefact's file name, as sha256sum prints them.
`

func loadChecksums(path string) (*Checksums, error) {
	list := &Checksums{path: path, known: map[string]string{}}
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 2 && !strings.HasPrefix(fields[0], "#") {
			list.known[fields[1]] = fields[0]
		}
	}
	return list, lines.Err()
}

// verify checks files against the list and records those it does not know.
func (c *Checksums) verify(files []string) error {
	sums := make([]string, len(files))
	var work errgroup.Group
	work.SetLimit(4)
	for i, file := range files {
		work.Go(func() (err error) {
			sums[i], err = sumOf(file)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := false
	for i, file := range files {
		name := filepath.Base(file)
		switch recorded := c.known[name]; recorded {
		case sums[i]:
		case "":
			c.known[name], fresh = sums[i], true
		default:
			return fmt.Errorf("checksum of %s is %s, but %s records %s: the file was changed or damaged; delete %s and start again",
				name, sums[i], filepath.Base(c.path), recorded, file)
		}
	}
	if !fresh {
		return nil
	}
	return c.write()
}

func (c *Checksums) write() error {
	names := make([]string, 0, len(c.known))
	for name := range c.known {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	text.WriteString(checksumsHead)
	for _, name := range names {
		fmt.Fprintf(&text, "%s  %s\n", c.known[name], name)
	}
	draft := c.path + ".new"
	if err := os.WriteFile(draft, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("record checksums: %w", err)
	}
	return os.Rename(draft, c.path)
}

func sumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
