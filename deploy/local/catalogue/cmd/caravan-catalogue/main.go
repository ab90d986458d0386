// Command caravan-catalogue writes the demo catalogue as lines of the product
// import, or with -report what became of each odd row.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/caravan-shop/caravan/deploy/local/catalogue"
)

func main() {
	currency := flag.String("currency", "GBP", "the shop's currency")
	report := flag.Bool("report", false, "list the rows that are left out, with their class")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	var err error
	if *report {
		err = writeReport(out)
	} else {
		err = catalogue.WriteNDJSON(out, *currency)
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "caravan-catalogue:", err)
		os.Exit(1)
	}
}

func writeReport(w io.Writer) error {
	rows, err := catalogue.Rows()
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Class == catalogue.Goods {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\n", r.Class, r.Code, r.Description); err != nil {
			return err
		}
	}
	return nil
}
