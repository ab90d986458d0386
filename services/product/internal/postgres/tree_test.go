package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/services/product/internal/postgres"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// A tree as large as that of a great electronics shop: 4,584 categories, seven
// deep, made by an import, moved at its root, and searched by any of its nodes.
func TestALargeTree(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	const nodes = 4584
	paths := largeTree(nodes)
	var lines strings.Builder
	for i, path := range paths {
		fmt.Fprintf(&lines, `{"sku":"T-%d","name":"Thing %d","category":%q,"price":{"amount":100,"currency":"GBP"},"quantity":1}`+"\n", i, i, path)
	}
	start := time.Now()
	imported(t, s, lines.String())
	t.Logf("%d products into %d categories in %v", len(paths), nodes, time.Since(start))
	start = time.Now()
	all, err := s.categories.All(ctx)
	must(t, err)
	if took := time.Since(start); len(all) != nodes || took > 2*time.Second {
		t.Fatalf("%d categories in %v, want %d", len(all), took, nodes)
	}
	byPath := map[string]product.Category{}
	for _, c := range all {
		byPath[strings.Join(c.Path, " > ")] = c
	}
	root, elsewhere := byPath["Department 0"], byPath["Department 1"]
	start = time.Now()
	_, err = s.categories.Update(ctx, root.ID, product.CategoryChange{Move: true, ParentID: &elsewhere.ID}, nil)
	must(t, err)
	t.Logf("a department moved in %v", time.Since(start))
	for _, asked := range []string{root.ID.String(), "department 1 > department 0"} {
		res, err := postgres.NewSearch(s.store).Search(ctx, product.Query{Categories: []string{asked}, Limit: 1})
		must(t, err)
		if want := below(paths, "Department 0"); res.Total != want {
			t.Errorf("%s: %d products, want %d", asked, res.Total, want)
		}
	}
	var wrong int
	must(t, s.db.Conn(ctx).QueryRow(ctx, `SELECT count(*) FROM categories c LEFT JOIN categories p ON p.id = c.parent_id
		WHERE c.path <> coalesce(p.path, '{}') || c.name OR c.ancestor_ids <> coalesce(p.ancestor_ids, '{}') || c.id`).Scan(&wrong))
	if wrong != 0 {
		t.Errorf("%d categories have a path that is not their parent's and their name", wrong)
	}
	if _, err := s.categories.Update(ctx, elsewhere.ID, product.CategoryChange{Move: true, ParentID: &[]uuid.UUID{root.ID}[0]}, nil); err == nil {
		t.Error("a category went below itself")
	}
}

// largeTree gives the paths of all nodes, parents first.
func largeTree(nodes int) []string {
	var paths []string
	level := []string{}
	for i := range 12 {
		level = append(level, fmt.Sprintf("Department %d", i))
	}
	for depth := 1; len(paths) < nodes; depth++ {
		var next []string
		for _, path := range level {
			if len(paths) == nodes {
				return paths
			}
			paths = append(paths, path)
			for i := range 1 + (len(path)+depth)%3 {
				if depth < 7 {
					next = append(next, fmt.Sprintf("%s > Level %d no %d", path, depth, i))
				}
			}
		}
		if level = next; len(level) == 0 {
			level = []string{fmt.Sprintf("Further %d", len(paths))}
			depth = 0
		}
	}
	return paths
}

func below(paths []string, root string) (n int64) {
	for _, p := range paths {
		if p == root || strings.HasPrefix(p, root+" > ") {
			n++
		}
	}
	return n
}
