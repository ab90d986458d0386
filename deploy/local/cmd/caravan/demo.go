package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/catalogue"
	"github.com/caravan-shop/caravan/deploy/local/demo"
	"github.com/caravan-shop/caravan/tests/shop"
)

// A basket of a dozen lines can be followed by eye; the data has some with a thousand.
const (
	fewestLines = 2
	mostLines   = 12
)

func newDemo(p *place) *cobra.Command {
	count := 3
	cmd := &cobra.Command{
		Use: "demo", Short: "Replay real baskets through the running shop and show what happens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			running, err := shop.Load(filepath.Join(p.dir, "stack.json"))
			if err != nil {
				return err
			}
			baskets, err := someBaskets(count)
			if err != nil {
				return err
			}
			return demo.Run(cmd.Context(), demo.Options{Stack: running, Baskets: baskets, Out: os.Stdout})
		},
	}
	cmd.Flags().IntVar(&count, "baskets", count, "how many baskets to replay")
	return cmd
}

// someBaskets takes the first real baskets that are neither single lines nor a wholesaler's.
func someBaskets(count int) ([]demo.Basket, error) {
	all, err := catalogue.Baskets()
	if err != nil {
		return nil, err
	}
	var some []demo.Basket
	for _, one := range all {
		if len(some) == count {
			break
		}
		if len(one.Lines) < fewestLines || len(one.Lines) > mostLines {
			continue
		}
		b := demo.Basket{Invoice: one.Invoice}
		for _, l := range one.Lines {
			b.Lines = append(b.Lines, demo.Line{SKU: l.SKU, Quantity: int64(l.Quantity)})
		}
		some = append(some, b)
	}
	return some, nil
}
