package shop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
)

// Money is integer minor units.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Totals of a quote or an order.
type Totals struct {
	Subtotal Money `json:"subtotal"`
	Shipping Money `json:"shipping"`
	Tax      Money `json:"tax"`
	Discount Money `json:"discount"`
	Total    Money `json:"total"`
}

// Item is a line of an order.
type Item struct {
	ProductID string `json:"product_id"`
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Quantity  int64  `json:"quantity"`
	UnitPrice Money  `json:"unit_price"`
	LineTotal Money  `json:"line_total"`
}

// Order as the order service reads it out.
type Order struct {
	ID            string `json:"id"`
	Number        string `json:"number"`
	UserID        string `json:"user_id"`
	Status        string `json:"status"`
	PaymentStatus string `json:"payment_status"`
	StockStatus   string `json:"stock_status"`
	Items         []Item `json:"items"`
	Totals        Totals `json:"totals"`
}

// Product as the product service reads it out.
type Product struct {
	ID     string `json:"id"`
	SKU    string `json:"sku"`
	Name   string `json:"name"`
	Price  Money  `json:"price"`
	Status string `json:"status"`
}

// Session is a signed-in account.
type Session struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	SessionID    string `json:"session_id"`
	ExpiresIn    int    `json:"expires_in"`
	User         struct {
		ID    string   `json:"id"`
		Email string   `json:"email"`
		Roles []string `json:"roles"`
	} `json:"user"`
}

// Shopper is a signed-in person with an address.
type Shopper struct {
	*Client
	Session
	Email     string
	Password  string
	AddressID string
}

// Token is the shopper's Authorization header.
func (s *Shopper) Token() Header { return Bearer(s.AccessToken) }

// Unique is a short random name.
func Unique(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return prefix + "-" + hex.EncodeToString(b[:])
}

// SignIn opens a session.
func SignIn(ctx context.Context, c *Client, email, password string) (*Shopper, error) {
	s := &Shopper{Client: c, Email: email, Password: password}
	_, err := c.Want(ctx, http.StatusCreated, &s.Session, "POST", "user", "/v1/sessions",
		map[string]string{"email": email, "password": password})
	return s, err
}

// Register makes an account with a British address and signs in.
func Register(ctx context.Context, c *Client) (*Shopper, error) {
	email, password := Unique("shopper")+"@example.com", Unique("pw")
	_, err := c.Want(ctx, http.StatusCreated, nil, "POST", "user", "/v1/users", map[string]string{
		"email": email, "password": password, "first_name": "Ada", "last_name": "Shopper"})
	if err != nil {
		return nil, err
	}
	s, err := SignIn(ctx, c, email, password)
	if err != nil {
		return nil, err
	}
	var address struct {
		ID string `json:"id"`
	}
	_, err = c.Want(ctx, http.StatusCreated, &address, "POST", "user", "/v1/users/me/addresses", map[string]any{
		"recipient": "Ada Shopper", "line1": "1 Analytical Way", "city": "London", "postal_code": "SW1A 1AA",
		"country": "GB", "is_default_shipping": true, "is_default_billing": true}, s.Token())
	s.AddressID = address.ID
	return s, err
}

// AddToCart adds a quantity of a product.
func (s *Shopper) AddToCart(ctx context.Context, productID string, quantity int64) error {
	_, err := s.Want(ctx, http.StatusOK, nil, "POST", "cart", "/v1/cart/items",
		map[string]any{"product_id": productID, "quantity": quantity}, s.Token())
	return err
}

// Quote asks for the totals of the present cart.
func (s *Shopper) Quote(ctx context.Context) (Totals, error) {
	var q struct {
		Totals Totals `json:"totals"`
	}
	_, err := s.Want(ctx, http.StatusOK, &q, "POST", "order", "/v1/quotes",
		map[string]string{"shipping_address_id": s.AddressID}, s.Token())
	return q.Totals, err
}

// OrderBody is the body of POST /v1/orders for a card token.
func (s *Shopper) OrderBody(card string, total Money) map[string]any {
	return map[string]any{
		"shipping_address_id": s.AddressID, "billing_address_id": s.AddressID,
		"payment": map[string]string{"method": "card", "token": card}, "expected_total": total,
	}
}

// Place orders the present cart at its quoted total.
func (s *Shopper) Place(ctx context.Context, card string) (*Order, error) {
	totals, err := s.Quote(ctx)
	if err != nil {
		return nil, err
	}
	var o Order
	_, err = s.Want(ctx, http.StatusCreated, &o, "POST", "order", "/v1/orders",
		s.OrderBody(card, totals.Total), s.Token(), IdempotencyKey(Unique("order")))
	return &o, err
}

// Buy is AddToCart and Place.
func (s *Shopper) Buy(ctx context.Context, productID string, quantity int64, card string) (*Order, error) {
	if err := s.AddToCart(ctx, productID, quantity); err != nil {
		return nil, err
	}
	return s.Place(ctx, card)
}

// Order reads one order.
func (s *Shopper) Order(ctx context.Context, id string) (*Order, error) {
	var o Order
	_, err := s.Want(ctx, http.StatusOK, &o, "GET", "order", "/v1/orders/"+id, nil, s.Token())
	return &o, err
}

// CreateProduct makes an active product with a stock, as staff.
func (s *Shopper) CreateProduct(ctx context.Context, pence, stock int64) (*Product, error) {
	category, err := s.category(ctx)
	if err != nil {
		return nil, err
	}
	var p Product
	_, err = s.Want(ctx, http.StatusCreated, &p, "POST", "product", "/v1/products", map[string]any{
		"sku": Unique("SKU"), "name": Unique("Brass lantern"), "description": "A lantern made for a test.",
		"category_id": category, "price": Money{pence, "GBP"}, "tax_class": "standard", "status": "active",
		"attributes": map[string]string{}, "images": []string{}}, s.Token())
	if err != nil {
		return nil, err
	}
	_, err = s.Want(ctx, http.StatusCreated, nil, "POST", "product", "/v1/products/"+p.ID+"/inventory/adjustments",
		map[string]any{"delta": stock, "reason": "first delivery"}, s.Token())
	return &p, err
}

func (s *Shopper) category(ctx context.Context) (string, error) {
	var c struct {
		ID string `json:"id"`
	}
	_, err := s.Want(ctx, http.StatusCreated, &c, "POST", "product", "/v1/categories",
		map[string]any{"name": Unique("Lanterns")}, s.Token())
	if err != nil {
		return "", fmt.Errorf("category: %w", err)
	}
	return c.ID, nil
}
