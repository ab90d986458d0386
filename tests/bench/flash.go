package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/caravan-shop/caravan/tests/flashsale"
	"github.com/caravan-shop/caravan/tests/invariants"
	"github.com/caravan-shop/caravan/tests/shop"
)

const (
	otherRate    = 5 // checkouts of other products a second, beside the sale
	otherClients = 150
	warmUp       = 5 * time.Second
	saleLimit    = 5 * time.Minute
)

// flash sells so many units to so many buyers who all order at once, while
// checkouts of other products go on at a steady rate.
func (b *bench) flash(ctx context.Context, units, buyers int, wait bool) error {
	stack, err := shop.Load(os.Getenv("CARAVAN_STACK"))
	if err != nil {
		return err
	}
	b.patience = saleLimit // how long they take is printed
	account := stack.Accounts["admin"]
	staff, err := shop.SignIn(ctx, b.http, account.Email, account.Password)
	if err != nil {
		return err
	}
	idle := make(chan *shop.Shopper, otherClients)
	for range otherClients {
		s, err := shop.Register(ctx, b.http)
		if err != nil {
			return err
		}
		idle <- s
	}
	began := time.Now()
	sale, err := flashsale.Open(ctx, stack, staff, units, buyers)
	if err != nil {
		return err
	}
	fmt.Printf("%d buyers, each with one of %d units in the cart, after %s\n", buyers, units, time.Since(began).Round(time.Second))
	if wait { // the preparation takes minutes, during which others may use the machine
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	}
	ctx, cancel := context.WithTimeout(ctx, saleLimit)
	defer cancel()
	open, over := context.WithCancel(ctx)
	var others paced
	var othersErr error
	var wg sync.WaitGroup
	wg.Go(func() { others, othersErr = b.steady(ctx, idle, otherRate, open.Done()) })
	time.Sleep(warmUp)
	out, saleErr := sale.Run(ctx)
	over()
	wg.Wait()
	fmt.Printf("the sale: %d placed, %d sold out; all answered after %s, all placed confirmed and reserved after %s\n  asked again after %v\n",
		len(out.Placed), out.Refused, out.Answered.Round(100*time.Millisecond), out.Settled.Round(100*time.Millisecond), out.Again)
	fmt.Printf("beside it, %d checkouts of other products a second: %s\n", otherRate, others)
	if saleErr != nil {
		return saleErr
	}
	if err := judged(ctx, stack, sale, out); err != nil {
		return err
	}
	return othersErr
}

// judged reads stores and ledger once all is at rest.
func judged(ctx context.Context, stack *shop.Stack, sale *flashsale.Sale, out flashsale.Outcome) error {
	if err := invariants.Rest(ctx, stack); err != nil {
		return err
	}
	wrong, err := sale.Check(ctx, out)
	if err != nil {
		return err
	}
	report, err := invariants.Check(ctx, stack, invariants.Acknowledged(out.Placed...))
	if err != nil {
		return err
	}
	wrong = append(wrong, report.Violations()...)
	for i, w := range wrong {
		if i == 20 {
			break
		}
		fmt.Println("  wrong:", w)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d things are wrong", len(wrong))
	}
	fmt.Println("stores, topics and ledger agree: every unit sold once, every order paid once, nobody else charged")
	return nil
}
