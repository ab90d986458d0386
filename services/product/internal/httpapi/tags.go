package httpapi

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"

	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/product/internal/product"
)

// An entity tag is "<version>.<state>". The version is what a change by staff is
// made from. The state is whatever else an answer shows: a product's rating,
// stock flag and category path move without a new version, and who asks with
// If-None-Match must see them move.

func stateTag(version int64, state any) string { return fmt.Sprintf(`"%d.%v"`, version, state) }

func productTag(p product.Product) string { return stateTag(p.Version, p.Revision) }

// categoryTag is of a category that is shown with its children.
func categoryTag(c product.Category, below []product.Category) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q", c.Path)
	for _, child := range below {
		_, _ = fmt.Fprintf(h, "%s %d;", child.ID, child.Version)
	}
	return stateTag(c.Version, fmt.Sprintf("%x", h.Sum64()))
}

var states = regexp.MustCompile(`"([0-9]+)\.[0-9a-f]+"`)

// matching compares the versions that If-Match names with the present one; nil
// without the header.
func matching(r *http.Request) func(version int64) error {
	tags, present := web.IfMatch(r)
	if !present {
		return nil
	}
	versions := states.ReplaceAllString(tags, `"$1"`)
	return func(version int64) error {
		if !web.Matches(versions, web.VersionTag(version)) {
			return web.ErrStale
		}
		return nil
	}
}

// precondition checks If-Match before the body is looked at; the use case checks
// again under the lock.
func precondition(r *http.Request, version int64) error {
	if match := matching(r); match != nil {
		return match(version)
	}
	return nil
}
