package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/caravan-shop/caravan/tests/shop"
)

// plan makes the people and the things that the rounds ask for.
func plan(ctx context.Context, stack *shop.Stack) ([]round, error) {
	client := shop.NewClient(stack.Edge)
	admin, err := shop.SignIn(ctx, client, stack.Accounts["admin"].Email, stack.Accounts["admin"].Password)
	if err != nil {
		return nil, err
	}
	product, err := admin.CreateProduct(ctx, 1999, 1000)
	if err != nil {
		return nil, err
	}
	other, err := shop.Register(ctx, client)
	if err != nil {
		return nil, err
	}
	order, err := other.Buy(ctx, product.ID, 1, "pm_card_visa")
	if err != nil {
		return nil, err
	}
	ids, err := more(ctx, admin, product.ID)
	if err != nil {
		return nil, err
	}
	things := map[string][]thing{
		"product": {
			{`^/v1/products/\{id\}`, "id", product.ID}, {`^/v1/products/by-sku/`, "sku", product.SKU},
			{`^/v1/categories/\{id\}`, "id", ids.category}, {`^/v1/reviews/`, "id", ids.review},
		},
		"cart":    {{`^/v1/cart/items/`, "product_id", product.ID}},
		"order":   {{`^/v1/orders/\{id\}`, "id", order.ID}},
		"payment": {{`^/v1/orders/`, "order_id", order.ID}, {`^/v1/saved-payment-methods/\{id\}`, "id", ids.card}},
		"user":    {{`^/v1/users/me/addresses/\{id\}`, "id", ids.address}, {`^/v1/users/\{id\}`, "id", other.User.ID}},
	}
	var rounds []round
	for _, service := range []string{"notification", "cart", "order", "payment", "product", "user"} {
		rounds = append(rounds, round{service: service, as: "an admin", token: admin.AccessToken, things: things[service]})
	}
	for _, service := range []string{"cart", "order", "payment"} {
		customer, err := shop.Register(ctx, client)
		if err != nil {
			return nil, err
		}
		if err := customer.AddToCart(ctx, product.ID, 1); err != nil {
			return nil, err
		}
		rounds = append(rounds, round{service: service, as: "a customer", token: customer.AccessToken, things: things[service]})
	}
	leaver, err := shop.Register(ctx, client)
	if err != nil {
		return nil, err
	}
	return append(rounds, round{service: "user", as: "one who leaves", token: leaver.AccessToken, operations: ending()}), nil
}

// further is what only the fuzzer asks for.
type further struct{ category, review, card, address string }

func more(ctx context.Context, admin *shop.Shopper, productID string) (further, error) {
	var ids further
	for _, one := range []struct {
		into      *string
		app, path string
		body      map[string]any
	}{
		{&ids.category, "product", "/v1/categories", map[string]any{"name": shop.Unique("fuzz")}},
		{&ids.review, "product", "/v1/products/" + productID + "/reviews", map[string]any{"rating": 5, "title": "Good"}},
		{&ids.card, "payment", "/v1/saved-payment-methods", map[string]any{"token": "pm_card_visa"}},
		{&ids.address, "user", "/v1/users/me/addresses", map[string]any{"recipient": "Ada", "line1": "1 Way", "city": "London",
			"postal_code": "SW1A 1AA", "country": "GB", "is_default_shipping": false, "is_default_billing": false}},
	} {
		var made struct {
			ID string `json:"id"`
		}
		if _, err := admin.Want(ctx, http.StatusCreated, &made, "POST", one.app, one.path, one.body, admin.Token()); err != nil {
			return ids, fmt.Errorf("%s%s: %w", one.app, one.path, err)
		}
		*one.into = made.ID
	}
	return ids, nil
}
