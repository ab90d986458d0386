package events

import "github.com/google/uuid"

// LineItem is one line of an order at the price that the hold answered.
type LineItem struct {
	ProductID uuid.UUID `json:"product_id"`
	SKU       string    `json:"sku"`
	Name      string    `json:"name"`
	Quantity  int64     `json:"quantity"`
	UnitPrice Money     `json:"unit_price"`
}

// Totals add up: subtotal + shipping + tax − discount = total.
type Totals struct {
	Subtotal Money `json:"subtotal"`
	Shipping Money `json:"shipping"`
	Tax      Money `json:"tax"`
	Discount Money `json:"discount"`
	Total    Money `json:"total"`
}

// Reasons of order.cancelled.
const (
	ReasonCustomer   = "customer"
	ReasonStaff      = "staff"
	ReasonUnpaid     = "unpaid"
	ReasonOutOfStock = "out_of_stock"
	ReasonErased     = "erased"
)

// OrderData is the data of the order.* events.
type OrderData struct {
	Meta
	OrderID           uuid.UUID  `json:"order_id"`
	Number            string     `json:"number"`
	UserID            uuid.UUID  `json:"user_id"`
	Status            string     `json:"status"`
	Items             []LineItem `json:"items"`
	Totals            Totals     `json:"totals"`
	ShippingAddressID uuid.UUID  `json:"shipping_address_id"`
	BillingAddressID  uuid.UUID  `json:"billing_address_id"`
	// Reason is one of the Reason constants, on order.cancelled.
	Reason         string `json:"reason,omitempty"`
	Carrier        string `json:"carrier,omitempty"`
	TrackingNumber string `json:"tracking_number,omitempty"`
}

// Key implements Event.
func (d *OrderData) Key() string { return d.OrderID.String() }

// OrderCreated asks Payment to charge.
type OrderCreated struct{ OrderData }

// OrderConfirmed asks Product to turn the hold into a reservation.
type OrderConfirmed struct{ OrderData }

// OrderShipped tells that the goods left the shelf.
type OrderShipped struct{ OrderData }

// OrderDelivered ends an order.
type OrderDelivered struct{ OrderData }

// OrderCancelled is final: Product releases, Payment voids or refunds.
type OrderCancelled struct{ OrderData }

// Topic implements Event.
func (*OrderCreated) Topic() string { return TopicOrderCreated }

// Topic implements Event.
func (*OrderConfirmed) Topic() string { return TopicOrderConfirmed }

// Topic implements Event.
func (*OrderShipped) Topic() string { return TopicOrderShipped }

// Topic implements Event.
func (*OrderDelivered) Topic() string { return TopicOrderDelivered }

// Topic implements Event.
func (*OrderCancelled) Topic() string { return TopicOrderCancelled }
