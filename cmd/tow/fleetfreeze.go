//go:build !solo

// tow fleet freeze, unfreeze, freezes: what keeps deployments from going on.

package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func fleetFreezeCommand(u *ui) *cobra.Command {
	at, f, lasting, anyway := &controlAt{}, &towpathv1.Freeze{}, time.Duration(0), false
	c := &cobra.Command{
		Use:   "freeze",
		Short: "Keep deployments from going on",
		Long: `Keep stages of deployments from beginning: of all programs in all environments, or of
those that are named. Those that are under way wait where they are, and can go back all
the same; nodes serve on. It ends by itself with --for, and else with "tow fleet
unfreeze". A second freeze of the same takes the first one's place.

An environment that has neither nodes nor deployments, or a program that was never
deployed, is refused, as a name that is mistyped freezes nothing; --anyway freezes it in
advance.`,
		Example: "  tow fleet freeze --env prod --why \"the sale begins\" --for 6h\n" +
			"  tow fleet freeze --why \"we look into INC-4711\"",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.Why == "":
				return usage{errors.New("a freeze needs a reason, which everybody sees who waits for its end: --why TEXT"), "tow fleet freeze"}
			case lasting < 0 || c.Flags().Changed("for") && lasting < time.Second:
				return usage{fmt.Errorf("--for %s: expected a second at least", lasting), "tow fleet freeze"}
			case lasting > 0:
				f.Until = time.Now().Add(lasting).Unix()
			}
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				if _, err := api.Deploy.SetFreeze(ctx, &towpathv1.SetFreezeRequest{Freeze: f, Anyway: anyway}); err != nil {
					return err
				}
				_, err := fmt.Fprintf(u.out, "%s frozen, %s.\n", freezeOf(f.Program, f.Environment), freezeUntil(f.Until))
				return err
			})
		},
	}
	freezeFlags(c, &f.Environment, &f.Program)
	c.Flags().StringVar(&f.Why, "why", "", "say `WHY`, to everybody who waits for its end")
	c.Flags().BoolVar(&anyway, "anyway", false, "freeze what nobody knows yet, too")
	c.Flags().DurationVar(&lasting, "for", 0, "let it end after this `TIME` (default: when it is lifted)")
	at.flags(c)
	return c
}

func freezeFlags(c *cobra.Command, environment, program *string) {
	c.Flags().StringVar(environment, "env", "", "in the environment `NAME` (default: all)")
	c.Flags().StringVar(program, "program", "", "of the program `NAME` (default: all)")
}

func fleetUnfreezeCommand(u *ui) *cobra.Command {
	at, q := &controlAt{}, &towpathv1.LiftFreezeRequest{}
	c := &cobra.Command{
		Use:   "unfreeze",
		Short: "Lift a freeze",
		Long: `Lift the freeze that was made with the same --env and --program. Deployments that
waited for its end go on at once.`,
		Example: "  tow fleet unfreeze --env prod\n  tow fleet unfreeze --env prod --program shop",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				if _, err := api.Deploy.LiftFreeze(ctx, q); err != nil {
					return err
				}
				_, err := fmt.Fprintf(u.out, "%s no longer frozen.\n", freezeOf(q.Program, q.Environment))
				return err
			})
		},
	}
	freezeFlags(c, &q.Environment, &q.Program)
	at.flags(c)
	return c
}

func fleetFreezesCommand(u *ui) *cobra.Command {
	at, asJSON := &controlAt{}, false
	c := &cobra.Command{
		Use:     "freezes",
		Short:   "List the freezes",
		Long:    "List the freezes: what they hold up, who made them and why, and when they end.",
		Example: "  tow fleet freezes",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Deploy.ListFreezes(ctx, &towpathv1.ListFreezesRequest{})
				if err != nil {
					return err
				}
				all := r.GetFreezes()
				if asJSON {
					return u.lines(len(all), func(i int) any { return freezeJSON(all[i]) })
				}
				return u.table("ENVIRONMENT\tPROGRAM\tUNTIL\tBY\tWHY", len(all), func(w *tabwriter.Writer, i int) {
					f := all[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", or(f.GetEnvironment(), "all"), or(f.GetProgram(), "all"), freezeUntil(f.GetUntil()), printable(f.GetBy()), printable(f.GetWhy()))
				})
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print lines of JSON")
	at.flags(c)
	return c
}

// freezeOf is what a freeze is of.
func freezeOf(program, environment string) string {
	return or(program, "All programs") + " in " + or(environment, "all environments") + isAre(program)
}

func isAre(program string) string {
	if program == "" {
		return " are"
	}
	return " is"
}

// freezeUntil is when a freeze ends.
func freezeUntil(unix int64) string {
	switch {
	case unix == 0:
		return "until it is lifted"
	case unix <= time.Now().Unix():
		return "over"
	}
	return "until " + moment(unix)
}

func freezeJSON(f *towpathv1.Freeze) any {
	out := struct {
		Environment string `json:"environment,omitempty"`
		Program     string `json:"program,omitempty"`
		By          string `json:"by"`
		Why         string `json:"why"`
		Until       string `json:"until,omitempty"`
	}{f.GetEnvironment(), f.GetProgram(), f.GetBy(), f.GetWhy(), ""}
	if f.GetUntil() != 0 {
		out.Until = time.Unix(f.GetUntil(), 0).UTC().Format(time.RFC3339)
	}
	return out
}
