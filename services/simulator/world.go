// Package simulator runs the real cores of Order, Payment and Product's stock
// together, from a seed: customers, staff and timers act, and between any two
// steps messages are lost, delayed, doubled and reordered, calls lose their
// request or their answer, commits fail or are unknown, and processes die. When
// the faults end everything must come to rest, and what must always hold is
// checked. One goroutine works at a time and time is simulated, so a seed
// repeats exactly.
package simulator

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/internal/twin"
	"github.com/caravan-shop/caravan/services/order/ordertwin"
	"github.com/caravan-shop/caravan/services/payment/paymenttwin"
	"github.com/caravan-shop/caravan/services/product/stocktwin"
)

// Config is one run.
type Config struct {
	Seed  uint64
	Flaws twin.Flaws
	// Trace, when set, is told of each step.
	Trace func(line string)
}

// Result is what a run did, and what it found wrong.
type Result struct {
	Steps    int
	Faults   map[string]int
	Ends     map[string]int // orders by how they ended
	Violated []string
}

const (
	currency = "GBP"
	payBy    = 15 * time.Minute
	payGrace = 10 * time.Minute
	holdTTL  = 20 * time.Minute
	lease    = 10 * time.Second
)

// world is one run on its way.
type world struct {
	cfg   Config
	rng   *rand.Rand
	now   time.Time
	quiet bool // no more faults
	// faulty names the services whose commits may fail just now: those whose own
	// work runs, in the one goroutine that there is then.
	faulty map[string]bool

	order   *ordertwin.Twin
	payment *paymenttwin.Twin
	stock   *stocktwin.Twin
	carts   *carts

	bag   []*message
	onBus map[string]bool
	// userEvents are those of User, which the world publishes by itself.
	userEvents map[string]bool
	dbs        []*twin.DB
	down       map[string]time.Time
	tasks      []*task
	running    *task

	shoppers []*shopper
	products []uuid.UUID
	last     map[uuid.UUID][3]string

	mu     sync.Mutex // what concurrent calls of one task share
	counts map[string]uint64
	result Result
}

func newWorld(cfg Config) (*world, error) {
	w := &world{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x6361726176616e)), now: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC),
		faulty: map[string]bool{}, onBus: map[string]bool{}, userEvents: map[string]bool{}, down: map[string]time.Time{}, last: map[uuid.UUID][3]string{},
		counts: map[string]uint64{}, result: Result{Faults: map[string]int{}, Ends: map[string]int{}},
	}
	w.carts = newCarts()
	orders, money, goods := w.database("order"), w.database("payment"), w.database("product")
	w.dbs = []*twin.DB{orders, money, goods}
	manual := w.rng.IntN(4) == 0
	w.payment = paymenttwin.New(money, payBy+payGrace, manual, func(call string) { w.pause("before provider " + call) }, w.loseProvider)
	var err error
	w.order, err = ordertwin.New(orders, neighbours{w}, ordertwin.Config{
		PayBy: payBy, Lease: lease, Random: rand.NewChaCha8(w.bytes32("numbers")), Step: w.pause})
	if err != nil {
		return nil, err
	}
	w.stock = stocktwin.New(goods, holdTTL, w.askStates)
	w.furnish()
	return w, nil
}

func (w *world) database(name string) *twin.DB {
	db := twin.New(name, func() time.Time { return w.now }, func() uuid.UUID { return w.newID(name) })
	db.Flaws = w.cfg.Flaws
	db.Commit = func() (lost, unknown error) { return w.loseCommit(name) }
	db.Early = func(r *twin.Row) { w.put(name, r) }
	return db
}

// newID draws from a sequence of each owner's own, so that the order in which
// goroutines ask does not matter. Ids grow with time, as UUIDv7 do.
func (w *world) newID(owner string) uuid.UUID {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[owner]++
	var id uuid.UUID
	binary.BigEndian.PutUint32(id[:4], uint32(w.counts[owner])) // what a trace shows of an id
	h := fnv.New64a()
	_, _ = h.Write([]byte(owner))
	binary.BigEndian.PutUint64(id[8:], h.Sum64())
	id[6], id[8] = 0x70|id[6]&0x0f, 0x80|id[8]&0x3f
	return id
}

// draw gives a number below n that depends on the seed, a name and how often the
// name was drawn: for calls that several goroutines make at once.
func (w *world) draw(name string, n uint64) uint64 {
	w.mu.Lock()
	w.counts[name]++
	at := w.counts[name]
	w.mu.Unlock()
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %d", w.cfg.Seed, name, at)
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x9e3779b97f4a7c15
	return (x ^ x>>29) % n
}

func (w *world) bytes32(name string) (b [32]byte) {
	for i := range b {
		b[i] = byte(w.draw(name, 256))
	}
	return b
}

// fault counts a fault of a kind.
func (w *world) fault(kind string) {
	w.silently(kind)
	w.trace("  fault: %s", kind)
}

// silently counts a fault that one of several goroutines meets: their order
// would make the traces of a seed differ.
func (w *world) silently(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.Faults[kind]++
}

func (w *world) trace(format string, args ...any) {
	if w.cfg.Trace != nil {
		w.cfg.Trace(w.now.Format("15:04:05.000 ") + fmt.Sprintf(format, args...))
	}
}

func (w *world) violated(format string, args ...any) {
	w.result.Violated = append(w.result.Violated, fmt.Sprintf(format, args...))
}

// chance is true once in n.
func (w *world) chance(n int) bool { return !w.quiet && w.rng.IntN(n) == 0 }

// furnish puts products on the shelf and makes customers.
func (w *world) furnish() {
	for i := range 2 + w.rng.IntN(3) {
		id := w.newID("catalogue")
		w.products = append(w.products, id)
		w.stock.Stock(id, fmt.Sprintf("SKU-%d", i+1), 300+w.rng.Int64N(5000), 2+w.rng.Int64N(14), currency)
	}
	for range 3 + w.rng.IntN(5) {
		w.shoppers = append(w.shoppers, &shopper{user: w.newID("user"), address: w.newID("address"), added: map[uuid.UUID]int64{}})
	}
}

// Run simulates one seed.
func Run(cfg Config) (Result, error) {
	w, err := newWorld(cfg)
	if err != nil {
		return Result{}, err
	}
	defer w.killAll()
	for range 300 + w.rng.IntN(400) {
		w.result.Steps++
		w.act()
		w.checkNow()
		if len(w.result.Violated) > 0 {
			return w.result, nil
		}
	}
	w.rest()
	w.checkRest()
	w.replay()
	return w.result, nil
}
