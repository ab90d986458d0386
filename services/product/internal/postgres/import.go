package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/events"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

const selectShelved = `SELECT id, on_hand, held + reserved FROM products JOIN product_inventory ON product_id = id WHERE sku = ANY($1)`

const selectBySKUs = productColumns + `WHERE p.sku = ANY($1)`

// The version guards against a change that came between the read and this.
const updateProducts = `
UPDATE products p SET name = d.name, description = d.description, category_id = d.category_id, brand = d.brand,
    price_amount = d.amount, price_currency = d.currency, tax_class = d.tax_class, attributes = d.attributes, status = d.status,
    version = d.version, updated_at = $12, revision = p.revision + 1, changed_at = now()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::jsonb[], $10::text[], $11::bigint[])
     AS d (id, name, description, category_id, brand, amount, currency, tax_class, attributes, status, version)
WHERE p.id = d.id AND p.version = d.version - 1`

// ImportBatch implements product.ImportStore.
func (s *Catalogue) ImportBatch(ctx context.Context, rows []product.ImportRow, decide func(product.Found) product.Plan) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Conn(ctx).Exec(ctx, lockTree); err != nil {
			return fmt.Errorf("lock import: %w", err)
		}
		found, shelf, err := s.find(ctx, rows)
		if err != nil {
			return err
		}
		plan := decide(found)
		if err := s.insertNew(ctx, plan.New); err != nil {
			return refusal(err, "import new products")
		}
		moves := countMoves(plan, shelf)
		batch := &pgx.Batch{}
		queueMoves(batch, shelf, moves, uuid.Nil, "import", "counted by an import")
		queueChanged(batch, plan.Changed)
		if err := send(ctx, s.db, batch); err != nil {
			return refusal(err, "import changed products")
		}
		s.behind(ctx, touched(plan)...)
		evs := append(plan.Events, stock.FlipEvents(shelf, moves)...)
		slices.SortStableFunc(evs, func(a, b events.Event) int { return bytes.Compare([]byte(a.Key()), []byte(b.Key())) })
		return s.box.Append(ctx, evs...)
	})
}

// find reads what the rows meet. Inventory that a row counts anew is locked, so
// that what is committed cannot grow meanwhile; the rest is only read.
func (s *Catalogue) find(ctx context.Context, rows []product.ImportRow) (product.Found, stock.Shelf, error) {
	found := product.Found{Products: map[string]product.Shelved{}}
	skus := make([]string, len(rows))
	for i, r := range rows {
		skus[i] = r.SKU
	}
	ps, err := s.many(ctx, selectBySKUs, skus)
	if err != nil {
		return found, nil, err
	}
	for _, p := range ps {
		found.Products[p.SKU] = product.Shelved{Product: p}
	}
	shelf, err := s.findStock(ctx, rows, skus, found)
	if err != nil {
		return found, nil, err
	}
	var paths [][]string
	for _, r := range rows {
		_, exists := found.Products[r.SKU]
		switch {
		case r.Category != nil:
			paths = append(paths, r.Category)
		case !exists:
			paths = append(paths, []string{product.Uncategorised})
		}
	}
	if len(paths) > 0 {
		found.Categories, err = s.ensurePaths(ctx, paths, s.newID, s.now())
	}
	return found, shelf, err
}

func (s *Catalogue) findStock(ctx context.Context, rows []product.ImportRow, skus []string, found product.Found) (stock.Shelf, error) {
	res, err := s.db.Conn(ctx).Query(ctx, selectShelved, skus)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	onHand := map[uuid.UUID]int64{}
	var id uuid.UUID
	var on, committed int64
	if _, err := pgx.ForEachRow(res, []any{&id, &on, &committed}, func() error { onHand[id] = on; return nil }); err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	var recount []uuid.UUID
	for _, r := range rows {
		known, exists := found.Products[r.SKU]
		if !exists {
			continue
		}
		known.OnHand = onHand[known.ID]
		found.Products[r.SKU] = known
		if r.Quantity != nil && *r.Quantity != known.OnHand {
			recount = append(recount, known.ID)
		}
	}
	shelf, err := (&Stock{db: s.db}).lock(ctx, recount)
	if err != nil {
		return nil, err
	}
	for sku, known := range found.Products {
		if it, locked := shelf[known.ID]; locked {
			known.OnHand, known.Committed = it.OnHand, it.Committed()
			found.Products[sku] = known
		}
	}
	return shelf, nil
}

func countMoves(plan product.Plan, shelf stock.Shelf) []stock.Movement {
	var moves []stock.Movement
	for id, n := range plan.Counts {
		moves = append(moves, stock.Movement{ProductID: id, Kind: stock.KindCount, OnHand: n - shelf[id].OnHand})
	}
	return moves
}

func touched(plan product.Plan) []uuid.UUID {
	var ids []uuid.UUID
	for _, p := range plan.New {
		ids = append(ids, p.ID)
	}
	for _, p := range plan.Changed {
		ids = append(ids, p.ID)
	}
	for id := range plan.Counts {
		ids = append(ids, id)
	}
	return ids
}

// insertNew copies new products in, with their stock and its first movement.
func (s *Catalogue) insertNew(ctx context.Context, added []product.Shelved) error {
	if len(added) == 0 {
		return nil
	}
	now := s.now()
	conn := s.db.Conn(ctx)
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"products"},
		[]string{"id", "sku", "name", "description", "category_id", "brand", "price_amount", "price_currency", "tax_class", "attributes",
			"status", "version", "revision", "created_at", "updated_at", "changed_at"},
		pgx.CopyFromSlice(len(added), func(i int) ([]any, error) {
			p := added[i].Product
			return []any{p.ID, p.SKU, p.Name, p.Description, p.CategoryID, p.Brand, p.Price.Amount, p.Price.Currency, p.TaxClass, attributesOf(p),
				p.Status, p.Version, p.Revision, p.CreatedAt, p.UpdatedAt, now}, nil
		}))
	if err != nil {
		return err
	}
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"product_inventory"}, []string{"product_id", "on_hand", "flipped_at"},
		pgx.CopyFromSlice(len(added), func(i int) ([]any, error) { return []any{added[i].ID, added[i].OnHand, now}, nil }))
	if err != nil {
		return err
	}
	var stocked []product.Shelved
	var ps []product.Product
	for _, p := range added {
		if p.OnHand > 0 {
			stocked = append(stocked, p)
		}
		ps = append(ps, p.Product)
	}
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"inventory_movements"}, []string{"product_id", "kind", "on_hand_delta", "actor", "reason"},
		pgx.CopyFromSlice(len(stocked), func(i int) ([]any, error) {
			return []any{stocked[i].ID, string(stock.KindCount), stocked[i].OnHand, "import", "counted by an import"}, nil
		}))
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	queueImages(batch, ps...)
	return send(ctx, s.db, batch)
}

func queueChanged(batch *pgx.Batch, changed []product.Product) {
	n := len(changed)
	if n == 0 {
		return
	}
	ids, categories := make([]uuid.UUID, n), make([]uuid.UUID, n)
	names, descriptions, brands := make([]string, n), make([]string, n), make([]string, n)
	currencies, taxes, statuses := make([]string, n), make([]string, n), make([]string, n)
	amounts, versions := make([]int64, n), make([]int64, n)
	attributes := make([]map[string]any, n)
	for i, p := range changed {
		ids[i], categories[i], names[i], descriptions[i], brands[i] = p.ID, p.CategoryID, p.Name, p.Description, p.Brand
		amounts[i], currencies[i], taxes[i], statuses[i], versions[i] = p.Price.Amount, p.Price.Currency, p.TaxClass, p.Status, p.Version
		attributes[i] = attributesOf(p)
	}
	batch.Queue(updateProducts, ids, names, descriptions, categories, brands, amounts, currencies, taxes, attributes, statuses, versions,
		changed[0].UpdatedAt).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return product.ErrImportRaced
		}
		return nil
	})
	batch.Queue(deleteImages, ids)
	queueImages(batch, changed...)
}
