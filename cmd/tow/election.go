//go:build !solo

// tow election: who leads what.

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func electionCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "election",
		Short: "Show who leads what, and have it handed over",
		Long: `Groups of seats and partitions, and who holds them: the Go package
towpath.dev/election and its SDKs compete for them.

docs/election.md teaches it.`,
		Example: "  tow election show invoices\n" +
			"  tow election resign invoices/0\n" +
			"  tow election simulate --candidates 20 --seats 500 --kill 1",
	}
	c.AddCommand(electionListCommand(u), electionShowCommand(u), electionWatchCommand(u), electionSetCommand(u),
		electionResignCommand(u), electionDrainCommand(u), electionRestoredCommand(u), electionSimulateCommand(u))
	return c
}

// electionAsk is one tow election.
type electionAsk struct {
	*ui
	at   controlAt
	json bool
}

func (e *electionAsk) flags(c *cobra.Command) {
	c.Flags().BoolVar(&e.json, "json", false, "print JSON, as the API has it")
	e.at.flags(c)
}

// printJSON prints an answer as the API has it.
func (e *electionAsk) printJSON(m proto.Message) error {
	text, err := protojson.MarshalOptions{Multiline: true, Indent: "  ", EmitDefaultValues: true}.Marshal(m)
	if err == nil {
		_, err = fmt.Fprintf(e.out, "%s\n", text)
	}
	return err
}

func electionListCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the groups",
		Args:  exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Election.ListGroups(ctx, &v1.ListGroupsRequest{})
				if err != nil {
					return err
				}
				if e.json {
					return e.printJSON(r)
				}
				for _, g := range r.GetGroups() {
					fmt.Fprintln(e.out, g)
				}
				return nil
			})
		},
	}
	e.flags(c)
	return c
}

func electionSetCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	var seats int32
	var partitions []string
	c := &cobra.Command{
		Use:   "set GROUP",
		Short: "Make a group, or change its seats or partitions",
		Long: `Say how many seats a group has, or which partitions. Holders of those that are no
more are asked to give them up; those that remain stay where they are.`,
		Example: "  tow election set invoices --seats 3\n" +
			"  tow election set shards --partitions eu-1,eu-2,us-1",
		Args: exactly("a group"),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("seats") == c.Flags().Changed("partitions") {
				return usage{errors.New("a group has seats or partitions: name either --seats or --partitions"), "tow election set"}
			}
			return e.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				_, err := api.Election.SetGroup(ctx, &v1.SetGroupRequest{Group: args[0], Config: &v1.GroupConfig{Seats: seats, Partitions: partitions}})
				return err
			})
		},
	}
	c.Flags().Int32Var(&seats, "seats", 0, "have `N` seats")
	c.Flags().StringSliceVar(&partitions, "partitions", nil, "have the partitions `A,B,…`")
	e.flags(c)
	return c
}

func electionResignCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	var to string
	c := &cobra.Command{
		Use:   "resign GROUP/SEAT",
		Short: "Ask a seat's holder to hand it over",
		Long: `Ask who holds a seat to finish what it does and to hand the seat over: to the
candidate that --to names, or to the one that has waited longest. It leads until it
does; "tow election watch" shows when.`,
		Example: "  tow election resign invoices/0 --to 694d8f5c3a2b1e07",
		Args:    exactly("a seat, as in invoices/0"),
		RunE: func(c *cobra.Command, args []string) error {
			group, seat, ok := strings.Cut(args[0], "/")
			if !ok || group == "" || seat == "" {
				return usage{fmt.Errorf("%q names no seat: expected GROUP/SEAT, as in invoices/0", args[0]), "tow election resign"}
			}
			return e.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				_, err := api.Election.Move(ctx, &v1.MoveRequest{Group: group, Seat: seat, To: to})
				if err == nil {
					fmt.Fprintf(e.err, "The holder of %s is asked to hand it over.\n", args[0])
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", "to the `CANDIDATE` with this id")
	e.flags(c)
	return c
}

func electionDrainCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	var undo bool
	c := &cobra.Command{
		Use:   "drain GROUP CANDIDATE",
		Short: "Ask a candidate to hand over all that it holds",
		Long: `Ask a candidate to hand over all that it holds in a group and to take nothing new,
before its host is stopped, say. The drain ends with the candidate's session, or with
--undo.`,
		Example: "  tow election drain shards 694d8f5c3a2b1e07",
		Args:    exactly("a group", "a candidate's id, as \"tow election show\" has it"),
		RunE: func(c *cobra.Command, args []string) error {
			return e.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				_, err := api.Election.Drain(ctx, &v1.DrainRequest{Group: args[0], Candidate: args[1], Undo: undo})
				return err
			})
		},
	}
	c.Flags().BoolVar(&undo, "undo", false, "take the drain back")
	e.flags(c)
	return c
}

func electionRestoredCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	var sure bool
	c := &cobra.Command{
		Use:   "restored",
		Short: "Say that the store was restored from a backup",
		Long: `Begin a new generation after the store was restored from a backup: fencing tokens
grow on from those that were given out before, and all that is held, waited for and
planned in any group is dropped, as it is of the past. Groups keep their seats and
partitions. Run it once after each restore, before anybody uses the store.`,
		Example: "  tow election restored --yes",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if !sure {
				return usage{errors.New("every leadership in the cluster ends by this: say --yes if the store was restored from a backup"), "tow election restored"}
			}
			return e.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Election.BeginGeneration(ctx, &v1.BeginGenerationRequest{})
				if err == nil {
					fmt.Fprintf(e.err, "Generation %d has begun.\n", r.GetGeneration())
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&sure, "yes", false, "the store was restored: end every leadership")
	e.flags(c)
	return c
}
