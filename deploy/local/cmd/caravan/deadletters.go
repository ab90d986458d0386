package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caravan-shop/caravan/deploy/local/deadletters"
	"github.com/caravan-shop/caravan/tests/shop"
)

// readWithin bounds a look at the dead letters, so that a Kafka that is away is told of instead of waited for.
const readWithin = 20 * time.Second

func newDeadLetters(p *place) *cobra.Command {
	cmd := &cobra.Command{Use: "dead-letters", Short: "Look at events that can never succeed, and decide on them"}
	cmd.AddCommand(listLetters(p), showLetter(p), redriveLetters(p), dropLetters(p))
	return cmd
}

// atOffice opens the running stack's dead letters, reads them and hands both on.
func (p *place) atOffice(ctx context.Context, apps []string, do func(context.Context, *deadletters.Office, []*deadletters.Letter) error) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	running, err := shop.Load(filepath.Join(p.dir, "stack.json"))
	if err != nil {
		return fmt.Errorf("no stack runs here: %w", err)
	}
	office, err := deadletters.At(running.Kafka, operator())
	if err != nil {
		return err
	}
	defer office.Close()
	letters, err := office.Read(ctx, apps...)
	if err != nil {
		return err
	}
	return do(ctx, office, letters)
}

func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func listLetters(p *place) *cobra.Command {
	var apps []string
	all := false
	cmd := &cobra.Command{
		Use: "list", Short: "List the open dead letters with their reasons", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.atOffice(cmd.Context(), apps, func(_ context.Context, _ *deadletters.Office, letters []*deadletters.Letter) error {
				return printLetters(cmd.OutOrStdout(), letters, all)
			})
		},
	}
	cmd.Flags().StringSliceVar(&apps, "app", nil, "of these services only")
	cmd.Flags().BoolVar(&all, "all", false, "those that were redriven or dropped too")
	return cmd
}

func printLetters(out io.Writer, letters []*deadletters.Letter, all bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tSTATE\tTOPIC\tEVENT\tSINCE\tREASON")
	shown := 0
	for _, l := range letters {
		if l.State != deadletters.Open && !all {
			continue
		}
		shown++
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.State, l.Topic, l.EventID, l.At.UTC().Format(time.RFC3339), l.Reason)
	}
	if shown == 0 {
		_, err := fmt.Fprintln(out, "no dead letters")
		return err
	}
	return table.Flush()
}

func showLetter(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one dead letter, its event and what was decided", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return p.atOffice(cmd.Context(), appsOf(ids), func(_ context.Context, _ *deadletters.Office, letters []*deadletters.Letter) error {
				found, err := deadletters.Find(letters, ids...)
				if err != nil {
					return err
				}
				l, out := found[0], cmd.OutOrStdout()
				_, _ = fmt.Fprintf(out, "letter  %s (%s)\nevent   %s\nfrom    %s, partition %d, offset %d\nsince   %s\nreason  %s\n",
					l.ID, l.State, l.EventID, l.Topic, l.Partition, l.Offset, l.At.UTC().Format(time.RFC3339), l.Reason)
				if d := l.Decision; d != nil {
					_, _ = fmt.Fprintf(out, "%s by %s at %s %s\n", d.Kind, d.By, d.At.Format(time.RFC3339), d.Reason)
				}
				_, err = fmt.Fprintf(out, "%s\n", l.Event)
				return err
			})
		},
	}
}

func redriveLetters(p *place) *cobra.Command {
	app := ""
	cmd := &cobra.Command{
		Use: "redrive ID... | --app APP", Short: "Have dead letters delivered again; the inbox keeps that safe",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if (len(ids) == 0) == (app == "") {
				return errors.New("name letters, or a service with --app, not both")
			}
			return p.atOffice(cmd.Context(), append(appsOf(ids), some(app)...), func(ctx context.Context, office *deadletters.Office, letters []*deadletters.Letter) error {
				chosen, err := deadletters.Find(letters, ids...)
				if err != nil {
					return err
				}
				if app != "" {
					chosen = open(letters)
				}
				return each(cmd.OutOrStdout(), chosen, "redriven", func(l *deadletters.Letter) error { return office.Redrive(ctx, l) })
			})
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "all open letters of this service")
	return cmd
}

func dropLetters(p *place) *cobra.Command {
	why := ""
	cmd := &cobra.Command{
		Use: "drop ID... --because TEXT", Short: "Give dead letters up for good; who and why stays beside them", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return p.atOffice(cmd.Context(), appsOf(ids), func(ctx context.Context, office *deadletters.Office, letters []*deadletters.Letter) error {
				chosen, err := deadletters.Find(letters, ids...)
				if err != nil {
					return err
				}
				return each(cmd.OutOrStdout(), chosen, "dropped", func(l *deadletters.Letter) error { return office.Drop(ctx, l, why) })
			})
		},
	}
	cmd.Flags().StringVar(&why, "because", "", "why it may be given up")
	_ = cmd.MarkFlagRequired("because")
	return cmd
}

// each does it to all, even if one fails.
func each(out io.Writer, letters []*deadletters.Letter, done string, do func(*deadletters.Letter) error) error {
	var all error
	for _, l := range letters {
		if err := do(l); err != nil {
			all = errors.Join(all, err)
			continue
		}
		_, _ = fmt.Fprintf(out, "%s %s\n", done, l.ID)
	}
	return all
}

func open(letters []*deadletters.Letter) []*deadletters.Letter {
	var list []*deadletters.Letter
	for _, l := range letters {
		if l.State == deadletters.Open && l.EventID != "" && l.Topic != "" {
			list = append(list, l)
		}
	}
	return list
}

// appsOf names the services whose topics must be read for these ids.
func appsOf(ids []string) []string {
	var apps []string
	for _, id := range ids {
		app, _, _ := strings.Cut(id, "/")
		apps = append(apps, app)
	}
	return apps
}

func some(app string) []string {
	if app == "" {
		return nil
	}
	return []string{app}
}
