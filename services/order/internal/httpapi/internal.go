package httpapi

import (
	"context"
	"net/http"

	"github.com/caravan-shop/caravan/services/internal/fault"
	"github.com/caravan-shop/caravan/services/internal/web"
	"github.com/caravan-shop/caravan/services/order/internal/desk"
	"github.com/caravan-shop/caravan/services/order/internal/order"
)

// maxStates bounds one question of a neighbour.
const maxStates = 1000

// OrderStates tells neighbours where orders stand.
func (s *Server) OrderStates(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[StatesRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		if len(in.OrderIds) > maxStates {
			return web.Response{}, errInvalid.Naming(fault.Field{Field: "order_ids", Code: "too_many", Detail: "at most 1000"})
		}
		states, err := s.desk.States(ctx, in.OrderIds)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(statesView(states)), nil
	})
}

// VerifyPurchase tells whether a review is by a buyer.
func (s *Server) VerifyPurchase(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[PurchaseRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		purchased, err := s.desk.Purchased(ctx, in.UserId, in.ProductId)
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(Purchase{Purchased: purchased}), nil
	})
}

// ExportUser gives all orders of a user with their histories.
func (s *Server) ExportUser(w http.ResponseWriter, r *http.Request) {
	web.Handle(w, r, func(ctx context.Context) (web.Response, error) {
		in, err := web.Decode[ExportRequest](r)
		if err != nil {
			return web.Response{}, err
		}
		out := Export{Service: "order", Data: ExportData{Orders: []ExportedOrder{}}}
		err = s.desk.EachOf(ctx, in.UserId, func(o order.Order, history []order.Transition) {
			out.Data.Orders = append(out.Data.Orders, ExportedOrder{Order: orderView(o), History: historyView(history, false)})
		})
		if err != nil {
			return web.Response{}, err
		}
		return web.OK(out), nil
	})
}

func statesView(states []desk.State) States {
	out := States{Orders: make([]OrderState, 0, len(states))}
	for _, st := range states {
		out.Orders = append(out.Orders, OrderState{
			OrderId: st.OrderID, Status: OrderStateStatus(st.Status), UserId: st.UserID,
			PaymentStatus: optional(st.Payment), StockStatus: optional(st.Stock),
		})
	}
	return out
}
