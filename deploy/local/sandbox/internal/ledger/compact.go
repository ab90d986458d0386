package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// compactFrom is how many lines a journal has before it is worth rewriting.
const compactFrom = 50_000

// live counts what a rewritten journal would hold.
func (l *Ledger) live() int {
	return len(l.intents) + len(l.refunds) + len(l.methods) + len(l.customers) + len(l.undelivered) + len(l.answers)
}

// compact puts a journal in the place of the one at path that holds the present
// state alone: the last form of each object, the answers that still count and the
// events not yet delivered. The ledger must not be in use, and is to be loaded anew.
func (l *Ledger) compact(path string) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	err = l.writeState(json.NewEncoder(w))
	if err == nil {
		err = errors.Join(w.Flush(), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	// Until the rename the old journal stands; after it, the new one.
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func (l *Ledger) writeState(enc *json.Encoder) error {
	for _, id := range l.intentOrder {
		if err := enc.Encode(record{Intents: []*Intent{l.intents[id]}}); err != nil {
			return err
		}
	}
	for _, id := range l.refundOrder {
		if err := enc.Encode(record{Refunds: []*Refund{l.refunds[id]}}); err != nil {
			return err
		}
	}
	for _, id := range l.methodOrder {
		if err := enc.Encode(record{Methods: []*Method{l.methods[id]}}); err != nil {
			return err
		}
	}
	for _, c := range l.customers {
		if err := enc.Encode(record{Customers: []*Customer{c}}); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(l.undelivered, 100) {
		if err := enc.Encode(record{Events: chunk}); err != nil {
			return err
		}
	}
	for key := range l.answers {
		a, err := l.Answer(key)
		if err != nil {
			return err
		}
		if a == nil {
			continue // too old to count
		}
		if err := enc.Encode(record{Answer: a}); err != nil {
			return err
		}
	}
	return nil
}
