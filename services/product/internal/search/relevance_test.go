package search_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caravan-shop/caravan/deploy/local/catalogue"
	"github.com/caravan-shop/caravan/services/internal/money"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// gifts is the demo catalogue as products.
func gifts(t testing.TB) []product.Product {
	t.Helper()
	lines, err := catalogue.Lines("GBP")
	must(t, err)
	ids := map[string]uuid.UUID{}
	category := func(path []string) []uuid.UUID {
		var out []uuid.UUID
		for n := 1; n <= len(path); n++ {
			key := strings.Join(path[:n], "/")
			if _, ok := ids[key]; !ok {
				ids[key] = uuid.Must(uuid.NewV7())
			}
			out = append(out, ids[key])
		}
		return out
	}
	ps := make([]product.Product, len(lines))
	for i, l := range lines {
		above := category(l.Category)
		attributes := map[string]any{}
		for k, v := range l.Attributes {
			attributes[k] = fmt.Sprint(v)
		}
		ps[i] = product.Product{ID: uuid.Must(uuid.NewV7()), SKU: l.SKU, Name: l.Name, CategoryID: above[len(above)-1], CategoryPath: l.Category,
			CategoryIDs: above, Price: money.New(l.Price.Amount, "GBP"), Status: product.Active, InStock: l.Quantity > 0, Attributes: attributes,
			Version: 1, Revision: 1, CreatedAt: time.Now()}
	}
	return ps
}

// knownItems draws what a shopper who has one product in mind would type: two or
// three of the words of its name.
func knownItems(r *rand.Rand, ps []product.Product, n int, mistyped bool) map[string]product.Product {
	asked := map[string]product.Product{}
	for len(asked) < n {
		p := ps[r.IntN(len(ps))]
		ws := slices.DeleteFunc(strings.Fields(strings.ToLower(p.Name)), func(w string) bool { return len(w) < 3 })
		if len(ws) < 3 {
			continue
		}
		want := 2 + r.IntN(2)
		start := r.IntN(len(ws) - want + 1)
		picked := slices.Clone(ws[start : start+want])
		if mistyped {
			long := slices.IndexFunc(picked, func(w string) bool { return len(w) > 4 })
			if long < 0 {
				continue
			}
			picked[long] = typo(r, picked[long])
		}
		asked[strings.Join(picked, " ")] = p
	}
	return asked
}

// typo exchanges, drops or mistakes one letter.
func typo(r *rand.Rand, word string) string {
	b := []byte(word)
	i := r.IntN(len(b) - 1)
	switch r.IntN(3) {
	case 0:
		b[i], b[i+1] = b[i+1], b[i]
	case 1:
		b = slices.Delete(b, i, i+1)
	default:
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

// The figures that were measured, less 0.02. Several products of one name count
// as one: nobody could tell them apart.
func TestKnownItemsAreFound(t *testing.T) {
	ps := gifts(t)
	f := open(t, ps...)
	for _, tc := range []struct {
		name             string
		mistyped         bool
		mrr, successAt10 float64
	}{
		{"as written", false, 0.795, 0.948},
		{"one typo", true, 0.753, 0.948},
	} {
		r := rand.New(rand.NewPCG(42, 7))
		asked := knownItems(r, ps, 400, tc.mistyped)
		var mrr, success float64
		var missed []string
		for text, p := range asked {
			res, err := f.index.Search(t.Context(), product.Query{Text: text, Sort: product.SortRelevance, Limit: 10})
			must(t, err)
			rank := slices.IndexFunc(res.Hits, func(h product.Hit) bool { return h.Name == p.Name })
			if rank < 0 {
				missed = append(missed, text+" → "+p.Name)
				continue
			}
			mrr += 1 / float64(rank+1)
			success++
		}
		n := float64(len(asked))
		t.Logf("%s: MRR@10 %.3f, success@10 %.3f, missed %d", tc.name, mrr/n, success/n, len(missed))
		for _, m := range missed[:min(25, len(missed))] {
			t.Log("  ", m)
		}
		if mrr/n < tc.mrr || success/n < tc.successAt10 {
			t.Errorf("%s: MRR@10 %.3f and success@10 %.3f, want at least %.3f and %.3f", tc.name, mrr/n, success/n, tc.mrr, tc.successAt10)
		}
	}
}
