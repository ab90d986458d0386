// Package inbox makes an event take effect once: the mark that it was seen
// commits with the effect. Marks are kept as long as the topics.
package inbox

import (
	"context"
	"fmt"

	"github.com/caravan-shop/caravan/services/internal/mutant"
	"github.com/caravan-shop/caravan/services/internal/pg"
)

const insertMark = `INSERT INTO inbox (event_id, consumer) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING`

// First marks the event as seen by the consumer and tells whether it was new.
// Call it inside InTx, before the effect. Two deliveries at once: the second
// waits for the first to end and then is told the truth.
func First(ctx context.Context, db *pg.DB, consumer, eventID string) (bool, error) {
	if mutant.On(mutant.DroppedInbox) {
		return true, nil
	}
	tag, err := db.Conn(ctx).Exec(ctx, insertMark, eventID, consumer)
	if err != nil {
		return false, fmt.Errorf("inbox mark: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}
