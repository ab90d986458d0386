package payment

import "github.com/caravan-shop/caravan/services/events"

func (o *Order) data(a *Attempt) events.PaymentData {
	return events.PaymentData{
		TransactionID: a.ID, OrderID: o.ID, Number: o.Number, UserID: o.UserID, Attempt: a.Number,
		Amount: events.Money{Amount: a.Amount, Currency: a.Currency},
	}
}

func (o *Order) initiated(a *Attempt) events.Event {
	return &events.PaymentInitiated{PaymentData: o.data(a)}
}

func (o *Order) success(a *Attempt) events.Event {
	return &events.PaymentSuccess{PaymentData: o.data(a)}
}

func (o *Order) requiresAction(a *Attempt) events.Event {
	return &events.PaymentRequiresAction{PaymentData: o.data(a)}
}

func (o *Order) failed(a *Attempt, code string) events.Event {
	d := o.data(a)
	d.FailureCode = code
	return &events.PaymentFailed{PaymentData: d}
}

func (o *Order) refunded(a *Attempt) events.Event {
	d := o.data(a)
	d.RefundedAmount = &events.Money{Amount: a.RefundedAmount, Currency: a.Currency}
	return &events.PaymentRefunded{PaymentData: d}
}
