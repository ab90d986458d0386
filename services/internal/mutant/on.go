//go:build crashpoints

package mutant

import (
	"os"
	"time"
)

// On tells whether the mistake is to be made.
func On(n Name) bool { return os.Getenv("CARAVAN_MUTANT") == string(n) }

// Schema is a statement to weaken a database with, "" for none. It is run on
// every service's and means something to one of them.
func Schema() string {
	switch {
	case On(RefundTwice):
		return `DROP INDEX IF EXISTS refunds_cancellation_once`
	case On(NoStockGuard):
		return `ALTER TABLE IF EXISTS product_inventory DROP CONSTRAINT IF EXISTS product_inventory_available_not_negative`
	}
	return ""
}

// Linger passes the moment in which a mistake can be seen, which lasts
// microseconds otherwise: a short run would have to be lucky.
func Linger() { time.Sleep(500 * time.Millisecond) }
