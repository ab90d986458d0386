package product

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/internal/fault"
)

// ImportResult counts what became of the lines. Errors lists the first ones.
type ImportResult struct {
	Created, Updated, Unchanged, Failed int64
	Errors                              []LineError
}

const (
	importBatch     = 500
	importBatchSize = 4 << 20 // bytes of lines held at once
	maxLineBytes    = 1 << 20
	maxLineErrors   = 1000
	importTries     = 6
	progressEvery   = 10_000 // lines
)

// Uncategorised is where a new product without a category goes.
const Uncategorised = "Uncategorised"

// Refusals about import lines.
var (
	errLineTooLong    = fault.New(fault.Invalid, "line_too_long", "A line has at most 1 MiB.")
	errBelowCommitted = fault.New(fault.Conflict, "below_committed", "The quantity is below what is held and reserved for orders.")
	// ErrImportRaced tells that a product changed under a batch, which is then tried again.
	ErrImportRaced = errors.New("product: another change came between")
)

// Shelved is a product with its counters.
type Shelved struct {
	Product
	OnHand, Committed int64
}

// Found is what a batch meets: the products that exist, by SKU, and the ids of
// category paths, by PathKey.
type Found struct {
	Products   map[string]Shelved
	Categories map[string]uuid.UUID
}

// PathKey makes a category path a map key.
func PathKey(path []string) string { return fmt.Sprintf("%q", path) }

// Plan is what a batch writes. Counts gives the new number on the shelf.
type Plan struct {
	New     []Shelved
	Changed []Product
	Counts  map[uuid.UUID]int64
	Events  []events.Event
}

// ImportStore writes batches of an import.
type ImportStore interface {
	// ImportBatch finds the products and makes the missing categories of the rows
	// (different SKUs), locks the inventory whose quantity differs, calls decide and
	// writes the plan, in one transaction. ErrImportRaced asks to try again.
	ImportBatch(ctx context.Context, rows []ImportRow, decide func(Found) Plan) error
}

// Importer is the use case of the NDJSON import.
type Importer struct {
	store    ImportStore
	currency string
	newID    func() uuid.UUID
	now      func() time.Time
	log      *slog.Logger
}

// NewImporter makes the use case.
func NewImporter(store ImportStore, currency string, newID func() uuid.UUID, now func() time.Time, log *slog.Logger) *Importer {
	return &Importer{store: store, currency: currency, newID: newID, now: now, log: log}
}

// Run takes lines from r until it ends. Batches commit as they come: an error
// leaves what came before. Memory does not grow with the length of r.
func (im *Importer) Run(ctx context.Context, r io.Reader) (ImportResult, error) {
	run := importRun{im: im, inBatch: map[string]bool{}}
	lines := bufio.NewReaderSize(r, 64<<10)
	for number := int64(1); ; number++ {
		raw, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLineTooLong) {
			return run.result, fmt.Errorf("read import: %w", err)
		}
		ended := errors.Is(err, io.EOF)
		if errors.Is(err, errLineTooLong) {
			run.fail(number, err)
		} else if len(bytes.TrimSpace(raw)) > 0 {
			if err := run.add(ctx, number, raw); err != nil {
				return run.result, err
			}
		}
		if number%progressEvery == 0 {
			im.log.Info("import goes on", "lines", number, "failed", run.result.Failed)
		}
		if ended {
			return run.result, run.flush(ctx)
		}
	}
}

// readLine gives one line without its end. A line that is too long is skipped
// to its end. The last line may come with io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > maxLineBytes {
			tooLong, line = true, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if tooLong && err == nil {
			return nil, errLineTooLong
		}
		return line, err
	}
}

// importRun is the state of one import.
type importRun struct {
	im      *Importer
	rows    []ImportRow
	bytes   int
	inBatch map[string]bool
	result  ImportResult
}

func (run *importRun) fail(line int64, err error) {
	run.result.Failed++
	if len(run.result.Errors) < maxLineErrors {
		run.result.Errors = append(run.result.Errors, lineError(line, err))
	}
}

func (run *importRun) add(ctx context.Context, number int64, raw []byte) error {
	row, err := parseLine(number, raw)
	if err != nil {
		run.fail(number, err)
		return nil
	}
	// A SKU that comes again must see what its first line did.
	if run.inBatch[row.SKU] || len(run.rows) == importBatch || run.bytes+len(raw) > importBatchSize {
		if err := run.flush(ctx); err != nil {
			return err
		}
	}
	run.rows = append(run.rows, row)
	run.bytes += len(raw)
	run.inBatch[row.SKU] = true
	return nil
}

func (run *importRun) flush(ctx context.Context) error {
	if len(run.rows) == 0 {
		return nil
	}
	rows := run.rows
	run.rows, run.bytes = nil, 0
	clear(run.inBatch)
	return run.store(ctx, rows)
}

// store writes rows as one batch; when the database refuses it, halves it until
// the line at fault stands alone.
func (run *importRun) store(ctx context.Context, rows []ImportRow) error {
	var outcome ImportResult
	var failures []func()
	decide := func(found Found) Plan {
		outcome, failures = ImportResult{}, nil
		return run.im.plan(rows, found, &outcome, func(line int64, err error) {
			failures = append(failures, func() { run.fail(line, err) })
		})
	}
	err := ErrImportRaced
	for try := 0; try < importTries && errors.Is(err, ErrImportRaced); try++ {
		err = run.im.store.ImportBatch(ctx, rows, decide)
	}
	_, refused := fault.KindOf(err)
	switch {
	case err == nil:
	case !refused && !errors.Is(err, ErrImportRaced):
		return err
	case len(rows) == 1:
		run.fail(rows[0].Line, err)
		return nil
	default:
		half := len(rows) / 2
		if err := run.store(ctx, rows[:half]); err != nil {
			return err
		}
		return run.store(ctx, rows[half:])
	}
	run.result.Created += outcome.Created
	run.result.Updated += outcome.Updated
	run.result.Unchanged += outcome.Unchanged
	for _, f := range failures {
		f()
	}
	return nil
}

// plan decides on each row by what was found.
func (im *Importer) plan(rows []ImportRow, found Found, outcome *ImportResult, fail func(int64, error)) Plan {
	plan := Plan{Counts: map[uuid.UUID]int64{}}
	for _, row := range rows {
		if row.Category != nil {
			id := found.Categories[PathKey(row.Category)]
			row.Change.CategoryID = &id
		}
		known, exists := found.Products[row.SKU]
		var err error
		switch {
		case !exists:
			if err = im.planNew(&plan, row, found); err == nil {
				outcome.Created++
			}
		default:
			var changed bool
			if changed, err = im.planChange(&plan, row, known); err == nil && changed {
				outcome.Updated++
			} else if err == nil {
				outcome.Unchanged++
			}
		}
		if err != nil {
			fail(row.Line, err)
		}
	}
	return plan
}

func (im *Importer) planNew(plan *Plan, row ImportRow, found Found) error {
	var missing problems
	if row.Change.Name == nil {
		missing.add("name", "required", "a new product needs it")
	}
	if row.Change.Price == nil {
		missing.add("price", "required", "a new product needs it")
	}
	if err := missing.fault(); err != nil {
		return err
	}
	at := im.now()
	p := Product{ID: im.newID(), SKU: row.SKU, TaxClass: TaxStandard, Status: Active, Version: 1, Revision: 1, CreatedAt: at, UpdatedAt: at,
		CategoryID: found.Categories[PathKey([]string{Uncategorised})]}
	row.Change.On(&p)
	if err := p.check(im.currency); err != nil {
		return err
	}
	shelved := Shelved{Product: p}
	if row.Quantity != nil {
		shelved.OnHand = *row.Quantity
	}
	plan.New = append(plan.New, shelved)
	plan.Events = append(plan.Events, created(p))
	return nil
}

func (im *Importer) planChange(plan *Plan, row ImportRow, known Shelved) (bool, error) {
	counted := row.Quantity != nil && *row.Quantity != known.OnHand
	if counted && *row.Quantity < known.Committed {
		return false, errBelowCommitted
	}
	p := known.Product
	fields := row.Change.On(&p)
	if len(fields) > 0 {
		if err := p.check(im.currency); err != nil {
			return false, err
		}
		p.touch(im.now())
		plan.Changed = append(plan.Changed, p)
		plan.Events = append(plan.Events, updated(p, fields))
	}
	if counted {
		plan.Counts[p.ID] = *row.Quantity
	}
	return counted || len(fields) > 0, nil
}
