package events

import "github.com/google/uuid"

// ProductData is the data of the product.* events, on a change of the
// catalogue or when a product goes in or out of stock.
type ProductData struct {
	Meta
	ProductID uuid.UUID `json:"product_id"`
	SKU       string    `json:"sku"`
	Version   int64     `json:"version"`
	// Changed names the fields that changed.
	Changed []string `json:"changed,omitempty"`
}

// Key implements Event.
func (d *ProductData) Key() string { return d.ProductID.String() }

// ProductCreated tells that a product exists.
type ProductCreated struct{ ProductData }

// ProductUpdated tells which fields changed.
type ProductUpdated struct{ ProductData }

// ProductOutOfStock tells that nothing of a product is available.
type ProductOutOfStock struct{ ProductData }

// ProductBackInStock tells a customer who asked for it that a product is
// available again: one event an alert, which is gone with it.
type ProductBackInStock struct {
	Meta
	ProductID uuid.UUID `json:"product_id"`
	SKU       string    `json:"sku"`
	Name      string    `json:"name"`
	Version   int64     `json:"version"`
	UserID    uuid.UUID `json:"user_id"`
}

// Key implements Event.
func (d *ProductBackInStock) Key() string { return d.ProductID.String() }

// Topic implements Event.
func (*ProductBackInStock) Topic() string { return TopicProductBackInStock }

// Topic implements Event.
func (*ProductCreated) Topic() string { return TopicProductCreated }

// Topic implements Event.
func (*ProductUpdated) Topic() string { return TopicProductUpdated }

// Topic implements Event.
func (*ProductOutOfStock) Topic() string { return TopicProductOutOfStock }

// StockLine is what an order takes of one product.
type StockLine struct {
	ProductID uuid.UUID `json:"product_id"`
	Quantity  int64     `json:"quantity"`
	// Short is how many units were missing, on inventory.rejected.
	Short int64 `json:"short,omitempty"`
}

// InventoryData is the data of the inventory.* events, about one order.
type InventoryData struct {
	Meta
	OrderID uuid.UUID   `json:"order_id"`
	Lines   []StockLine `json:"lines"`
}

// Key implements Event.
func (d *InventoryData) Key() string { return d.OrderID.String() }

// InventoryReserved tells that every line is reserved.
type InventoryReserved struct{ InventoryData }

// InventoryRejected tells that the hold was gone and the stock sold.
type InventoryRejected struct{ InventoryData }

// Topic implements Event.
func (*InventoryReserved) Topic() string { return TopicInventoryReserved }

// Topic implements Event.
func (*InventoryRejected) Topic() string { return TopicInventoryRejected }
