package postgres

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// The domain has zero values where the tables have NULL.

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func null[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// orEmpty scans NULL as "".
type orEmpty struct{ to *string }

// Scan implements sql.Scanner.
func (o orEmpty) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*o.to = ""
	case string:
		*o.to = v
	default:
		return fmt.Errorf("scan %T as text", src)
	}
	return nil
}

// orNil scans NULL as the zero id.
type orNil struct{ to *uuid.UUID }

// Scan implements sql.Scanner.
func (o orNil) Scan(src any) error {
	if src == nil {
		*o.to = uuid.Nil
		return nil
	}
	return o.to.Scan(src)
}

// utc scans a time in UTC, so that what is read equals what was written.
type utc struct{ to *time.Time }

// Scan implements sql.Scanner.
func (u utc) Scan(src any) error {
	t, ok := src.(time.Time)
	if !ok {
		return fmt.Errorf("scan %T as time", src)
	}
	*u.to = t.UTC()
	return nil
}
