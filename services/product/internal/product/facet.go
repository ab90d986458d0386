package product

import (
	"fmt"
	"slices"
	"strconv"
)

// priceRanges is about how many ranges of prices are offered.
const priceRanges = 6

// PriceSteps are prices in minor units at which a range may begin: coarse enough
// to read, fine enough to be put together to ranges that fit what was found.
func PriceSteps() []int64 {
	out := []int64{0}
	for decade := int64(10); decade <= 1e9; decade *= 10 {
		for _, tenths := range []int64{10, 15, 20, 30, 50, 70} {
			out = append(out, decade*tenths/10)
		}
	}
	return out
}

// PriceBucket counts the products from one step below the next; To 0 is no end.
type PriceBucket struct{ From, To, Count int64 }

// PriceRanges puts neighbouring steps together to a few ranges of about as many
// products each.
func PriceRanges(q Query, buckets []PriceBucket) []FacetValue {
	values := []FacetValue{}
	var total int64
	for _, b := range buckets {
		total += b.Count
	}
	share := (total + priceRanges - 1) / priceRanges
	var from, count int64
	open := false
	for i, b := range buckets {
		if b.Count == 0 && !open {
			continue
		}
		if !open {
			from, open = b.From, true
		}
		count += b.Count
		if count < share && slices.ContainsFunc(buckets[i+1:], func(r PriceBucket) bool { return r.Count > 0 }) {
			continue
		}
		values = append(values, priceRange(q, from, b.To, count))
		count, open = 0, false
	}
	return values
}

func priceRange(q Query, from, to, count int64) FacetValue {
	low := strconv.FormatInt(from, 10)
	if to == 0 {
		return FacetValue{Value: low + "-", Label: major(from) + " and more", Count: count,
			Selected: q.PriceMin != nil && *q.PriceMin <= from && q.PriceMax == nil}
	}
	last := to - 1
	v := FacetValue{Value: low + "-" + strconv.FormatInt(last, 10), Label: major(from) + " – " + major(last), Count: count}
	v.Selected = (q.PriceMin != nil || q.PriceMax != nil) &&
		(q.PriceMin == nil || *q.PriceMin <= from) && (q.PriceMax == nil || *q.PriceMax >= last)
	return v
}

func major(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

// RatingAtLeast is a value of the rating facet.
func RatingAtLeast(q Query, from int, count int64) FacetValue {
	key := strconv.Itoa(from)
	return FacetValue{Value: key, Label: key + " and up", Count: count, Selected: q.RatingMin != nil && *q.RatingMin == float64(from)}
}

// AttributeFacet names the facet of an attribute: by its own name, unless that is
// one of the fixed facets.
func AttributeFacet(name string) string {
	switch name {
	case "category", "brand", "price", "rating", "availability":
		return "attr." + name
	}
	return name
}
