package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/pg"
	"github.com/caravan-shop/caravan/services/product/internal/product"
	"github.com/caravan-shop/caravan/services/product/internal/stock"
)

// refusal turns a constraint that refused a statement into the domain's word
// for it; any other error keeps its place.
func refusal(err error, doing string) error {
	if err == nil {
		return nil
	}
	name, _ := pg.ConstraintOf(err)
	if known := byConstraint(name); known != nil {
		return known.Because(err)
	}
	// Class 22: the data itself is what the database cannot hold.
	var pe *pgconn.PgError
	if errors.As(err, &pe) && strings.HasPrefix(pe.Code, "22") {
		return product.ErrInvalid.Because(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func byConstraint(name string) *fault.Error {
	switch name {
	case "products_sku_key":
		return product.ErrSKUTaken
	case "products_category_fkey":
		return product.ErrCategoryUnknown
	case "categories_parent_fkey": // a parent is read under the lock before it is named
		return product.ErrCategoryInUse
	case "categories_sibling_names_differ":
		return product.ErrCategoryTaken
	case "product_reviews_one_a_user":
		return product.ErrAlreadyReviewed
	case "product_reviews_product_fkey":
		return product.ErrNotFound
	case "product_inventory_available_not_negative", "product_inventory_on_hand_not_negative":
		return stock.ErrBelowCommitted
	}
	return nil
}
