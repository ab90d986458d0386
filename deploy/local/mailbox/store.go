package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errNoMail says that no mail has that id (any more).
var errNoMail = errors.New("no such mail")

// store keeps the newest mails as files named <id>.eml and an index of their
// headers in memory. Bodies are parsed when somebody reads them, not when they
// arrive: the shop sends far more mails than anybody opens.
// It is safe for concurrent use.
type store struct {
	dir  string
	keep int
	now  func() time.Time

	mu      sync.Mutex
	lastID  int64
	entries []entry // ordered by id, which is the order of arrival
	parsed  bodyCache
}

// entry is what the index knows of one mail.
type entry struct {
	ID         string
	Received   time.Time
	Subject    string
	From       []address
	To         []address // as the mail's header says
	Recipients []string  // as the envelope said, so Bcc too
	MessageID  string
	Size       int
}

// openStore reads the index back from the files in dir, which is made if absent.
func openStore(dir string, keep int, now func() time.Time) (*store, error) {
	if keep < 1 {
		return nil, fmt.Errorf("the store must keep at least one mail, not %d", keep)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail directory: %w", err)
	}
	s := &store{dir: dir, keep: keep, now: now, parsed: newBodyCache()}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("mail directory: %w", err)
	}
	for _, f := range files {
		if err := s.load(f.Name()); err != nil {
			return nil, err
		}
	}
	return s, s.trim()
}

// load indexes one file; what a killed process left half-written is removed.
func (s *store) load(name string) error {
	if strings.HasSuffix(name, ".tmp") {
		return os.Remove(filepath.Join(s.dir, name))
	}
	id, ok := strings.CutSuffix(name, ".eml")
	n, notID := strconv.ParseInt(id, 16, 64)
	if !ok || notID != nil {
		return nil //nolint:nilerr // a name that is no id is not ours
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return fmt.Errorf("read mail: %w", err)
	}
	s.insert(summarize(id, time.Unix(0, n), raw))
	s.lastID = max(s.lastID, n)
	return nil
}

// Add stores a mail. The envelope is written into the file as the Return-Path and
// Delivered-To headers that a mail server adds, so that the index can be rebuilt
// from the files alone.
func (s *store) Add(env envelope, raw []byte) error {
	var file bytes.Buffer
	fmt.Fprintf(&file, "Return-Path: <%s>\r\n", env.from)
	for _, to := range env.to {
		fmt.Fprintf(&file, "Delivered-To: %s\r\n", to)
	}
	file.Write(raw)

	id, received := s.nextID()
	path := s.path(id)
	// Renamed into place, so that a kill leaves no half mail under a mail's name.
	if err := os.WriteFile(path+".tmp", file.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	s.insert(summarize(id, received, file.Bytes()))
	return s.trim()
}

// nextID returns an id that is unique, sorts by arrival and survives a restart:
// the time in nanoseconds, moved on where two mails share one.
func (s *store) nextID() (string, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID = max(s.lastID+1, s.now().UnixNano())
	return fmt.Sprintf("%016x", s.lastID), time.Unix(0, s.lastID)
}

// insert keeps the index ordered: two mails that arrive together may finish in
// the other order.
func (s *store) insert(e entry) {
	at, _ := s.find(e.ID)
	s.entries = slices.Insert(s.entries, at, e)
}

func (s *store) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, id, func(e entry, id string) int { return cmp.Compare(e.ID, id) })
}

// trim removes the oldest mails beyond what the store keeps.
func (s *store) trim() error {
	for len(s.entries) > s.keep {
		if err := s.remove(s.entries[0].ID); err != nil {
			return err
		}
		s.entries[0] = entry{}
		s.entries = s.entries[1:]
	}
	return nil
}

func (s *store) remove(id string) error {
	s.parsed.drop(id)
	if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove mail: %w", err)
	}
	return nil
}

func (s *store) path(id string) string { return filepath.Join(s.dir, id+".eml") }

// Len returns how many mails there are.
func (s *store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// filter narrows a listing; the zero value lists everything.
type filter struct {
	to    string // an address among the recipients, letter case ignored
	after string // only mails that came after this id
	limit int    // the newest so many; 0 is all
}

// List returns the mails that match, newest last.
func (s *store) List(f filter) []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []entry
	for i := len(s.entries) - 1; i >= 0 && s.entries[i].ID > f.after; i-- {
		if f.limit > 0 && len(found) == f.limit {
			break
		}
		if f.to == "" || s.entries[i].isFor(f.to) {
			found = append(found, s.entries[i])
		}
	}
	slices.Reverse(found)
	return found
}

func (e entry) isFor(addr string) bool {
	return slices.ContainsFunc(e.Recipients, func(r string) bool { return strings.EqualFold(r, addr) }) ||
		slices.ContainsFunc(e.To, func(a address) bool { return strings.EqualFold(a.Address, addr) })
}

// Mail returns the whole mail, parsed; errNoMail if there is none of that id.
func (s *store) Mail(id string) (*mail, error) {
	s.mu.Lock()
	at, known := s.find(id)
	if !known {
		s.mu.Unlock()
		return nil, errNoMail
	}
	e := s.entries[at]
	cached := s.parsed.get(id)
	s.mu.Unlock()
	if cached != nil {
		return cached, nil
	}
	raw, err := s.Raw(id)
	if err != nil {
		return nil, err
	}
	m := parse(e, raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parsed.put(id, m, len(raw))
	return m, nil
}

// Raw returns the file of a mail; errNoMail if there is none of that id.
func (s *store) Raw(id string) ([]byte, error) {
	s.mu.Lock()
	_, known := s.find(id)
	s.mu.Unlock()
	if !known {
		return nil, errNoMail
	}
	raw, err := os.ReadFile(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoMail // removed between the two steps
	}
	return raw, err
}

// Delete removes one mail; errNoMail if there is none of that id.
func (s *store) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.find(id)
	if !known {
		return errNoMail
	}
	s.entries = slices.Delete(s.entries, at, at+1)
	return s.remove(id)
}

// Clear removes every mail.
func (s *store) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.entries) > 0 {
		if err := s.remove(s.entries[0].ID); err != nil {
			return err
		}
		s.entries = s.entries[1:]
	}
	return nil
}
