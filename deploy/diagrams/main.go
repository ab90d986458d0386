// Command diagrams draws the four pictures of the shop from what the code is: the schemas after migrations on an empty
// PostgreSQL, the schema of the cart's document, asyncapi.yaml with the subscriptions, and the access control between
// the sidecars. `diagrams -check` compares the pictures that are kept with what it would draw.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// A sheet of A3 landscape at 300 dpi has 4960 by 3508 pixels; a screen of 2560 by 1440 shows the same height.
const (
	sheetWidth  = 2480.0
	sheetHeight = 1754.0
	screenScale = 1440 / sheetHeight
	screenWidth = 2560 / screenScale
	printPixels = 4960
	// The other three pictures hold less: the same paper with fewer, so larger, units.
	plainWidth  = 0.7 * sheetWidth
	plainHeight = 0.7 * sheetHeight

	storesWidth  = 0.84 * sheetWidth
	storesHeight = 0.84 * sheetHeight
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "diagrams:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("diagrams", flag.ContinueOnError)
	root := flags.String("root", ".", "the checkout")
	folder := flags.String("out", "docs/diagrams", "where the pictures are kept, below the checkout")
	check := flags.Bool("check", false, "compare the pictures that are kept, write nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server := os.Getenv("CARAVAN_TEST_POSTGRES")
	if server == "" {
		return errors.New("CARAVAN_TEST_POSTGRES is not set: run it by make diagrams, or caravan testdb -- …")
	}
	shop, err := readShop(ctx, *root, server)
	if err != nil {
		return err
	}
	sheets, err := drawAll(shop)
	if err != nil {
		return err
	}
	dir := filepath.Join(*root, *folder)
	if *check {
		return compare(sheets, dir)
	}
	for _, s := range sheets {
		if err := save(s, dir); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		_, _ = fmt.Fprintln(out, "drew", s.Name)
	}
	return nil
}

func drawAll(shop *shop) ([]*sheet, error) {
	pens, err := newPens()
	if err != nil {
		return nil, err
	}
	er, err := complete(shop, pens, "complete-system", sheetWidth)
	if err != nil {
		return nil, err
	}
	wide, err := complete(shop, pens, wideName, screenWidth)
	if err != nil {
		return nil, err
	}
	calls, err := dependencies(shop, pens)
	if err != nil {
		return nil, err
	}
	stores, err := databases(shop, pens)
	if err != nil {
		return nil, err
	}
	flow, err := eventFlow(shop, pens)
	if err != nil {
		return nil, err
	}
	return []*sheet{er, wide, calls, stores, flow}, nil
}

// wideName is the complete system for a screen, which exists as PNG alone.
const wideName = "complete-system-2560x1440"

func save(s *sheet, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var png, pdf bytes.Buffer
	if s.Name == wideName {
		if err := s.smallPNG(&png, screenScale); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, s.Name+".png"), png.Bytes(), 0o644)
	}
	if err := errors.Join(s.png(&png, printPixels/s.Width), s.pdf(&pdf)); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, s.Name+".svg"), []byte(s.svg()), 0o644),
		os.WriteFile(filepath.Join(dir, s.Name+".png"), withResolution(png.Bytes()), 0o644),
		os.WriteFile(filepath.Join(dir, s.Name+".pdf"), pdf.Bytes(), 0o644))
}

func compare(sheets []*sheet, dir string) error {
	var errs []error
	for _, s := range sheets {
		if s.Name == wideName {
			continue
		}
		kept, err := os.ReadFile(filepath.Join(dir, s.Name+".svg"))
		if err != nil {
			errs = append(errs, err)
		} else if string(kept) != s.svg() {
			errs = append(errs, fmt.Errorf("%s is out of date: run make diagrams and commit the result", s.Name))
		}
	}
	return errors.Join(errs...)
}

func (s *sheet) heading(sub string) {
	s.text(margin, margin+16, s.Title, 30, true, left, ink)
	s.text(margin+s.pens.width(s.Title, 30, true)+24, margin+15, sub, 15, false, left, grey)
}

func (s *sheet) caption(text string) {
	s.text(s.Width/2, s.Height-14, text, 14, false, middle, ink)
}
