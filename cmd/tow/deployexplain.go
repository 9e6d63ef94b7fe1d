//go:build !solo

// tow deploy explain: why it waits, why it went back, what is different where.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
)

func deployExplainCommand(u *ui) *cobra.Command {
	at, node, asJSON := &controlAt{}, "", false
	c := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell what happened to a deployment, and why",
		Long: `Tell all that happened to a deployment: each step, each wait with its reason, each
node's changes, the verdict, and whose doing the outcome was. With --node it is what is
different on one node.`,
		Example: "  tow deploy explain shop.prod.17\n  tow deploy explain shop.prod.17 --node eu-7",
		Args:    exactly("a deployment"),
		RunE: func(c *cobra.Command, args []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Deploy.ListDeploymentEvents(ctx, &towpathv1.ListDeploymentEventsRequest{Id: args[0]})
				if err != nil {
					return err
				}
				if asJSON {
					return u.lines(len(r.GetEvents()), func(i int) any { return json.RawMessage(r.GetEvents()[i]) })
				}
				for _, text := range r.GetEvents() {
					var e deploy.Event
					if err := json.Unmarshal(text, &e); err != nil {
						return err
					}
					if node == "" || e.Node == node {
						fmt.Fprintln(u.out, eventLine(u, &e))
					}
				}
				return u.explainNow(ctx, api, args[0], node)
			})
		},
	}
	c.Flags().StringVar(&node, "node", "", "what is different on the node `NAME`")
	c.Flags().BoolVar(&asJSON, "json", false, "print the events as lines of JSON")
	at.flags(c)
	return c
}

// explainNow tells how it stands: what is waited for, why it went back, and who is behind.
func (u *ui) explainNow(ctx context.Context, api *client.Control, id, node string) error {
	r, err := api.Deploy.GetDeployment(ctx, &towpathv1.GetDeploymentRequest{Id: id})
	if err != nil {
		return err
	}
	plan, state, err := readDeployment(r.GetDeployment())
	if err != nil {
		return err
	}
	f, err := api.Deploy.GetFleet(ctx, &towpathv1.GetFleetRequest{Environment: plan.Environment})
	if err != nil {
		return err
	}
	fmt.Fprintln(u.out)
	switch cause := state.Cause; {
	case state.Outcome != nil:
		fmt.Fprintf(u.out, "It ended: %s: %s\n", whose(state.Outcome), printable(state.Outcome.Why))
		if state.Outcome.Evidence != "" {
			fmt.Fprintln(u.out, "  "+printable(state.Outcome.Evidence))
		}
	case cause != nil:
		fmt.Fprintf(u.out, "It goes back: %s: %s\n", whose(cause), printable(cause.Why))
		if cause.Evidence != "" {
			fmt.Fprintln(u.out, "  "+printable(cause.Evidence))
		}
	case state.Wait != nil:
		fmt.Fprintf(u.out, "It waits for %s", printable(state.Wait.For))
		if !state.Wait.Until.IsZero() {
			fmt.Fprintf(u.out, ", until %s probably", state.Wait.Until.Local().Format("15:04:05"))
		}
		fmt.Fprintln(u.out)
	}
	if h := r.GetDeployment().GetHoldup(); h != "" {
		fmt.Fprintln(u.out, "The platform holds it up: "+printable(h))
	}
	if v := r.GetDeployment().GetVerdict(); v != "" {
		fmt.Fprintln(u.out, "Verdict: "+printable(v))
	}
	return u.explainNodes(f, plan, node)
}

// explainNodes tells what nodes run otherwise than they shall, or all of one.
func (u *ui) explainNodes(f *towpathv1.GetFleetResponse, plan *deploy.Plan, only string) error {
	intents := map[string]*fleet.Intent{}
	for _, i := range f.GetIntents() {
		if i.GetProgram() == plan.Program {
			v, err := fleet.DecodeIntent(i.GetCell(), i.GetIntent())
			if err != nil {
				return err
			}
			intents[i.GetCell()] = v
		}
	}
	found := false
	for _, n := range f.GetNodes() {
		if only != "" && n.GetName() != only {
			continue
		}
		found = true
		status, err := fleet.DecodeStatus(n.GetName(), n.GetStatus())
		if err != nil {
			return err
		}
		for _, line := range nodeDiffers(n, status, intents[status.Cell], plan.Program, only != "") {
			fmt.Fprintln(u.out, line)
		}
	}
	if only != "" && !found {
		return wrong{fmt.Errorf("there is no node %s in %s; \"tow fleet status --env %s\" lists them", only, plan.Environment, plan.Environment)}
	}
	return nil
}

// nodeDiffers is what a node does otherwise than it shall; with all, what it does as it
// shall too.
func nodeDiffers(n *towpathv1.FleetNode, s *fleet.Status, i *fleet.Intent, program string, all bool) []string {
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, printable(n.GetName()+": "+fmt.Sprintf(format, args...)))
	}
	if !n.GetAttached() {
		say("no control node hears of it; it serves on with what it was told last")
	}
	r := s.Programs[program]
	if i != nil {
		role := i.RoleOf(n.GetName())
		switch {
		case r.Main != role.Main:
			say("runs %s, and shall run %s", or(r.Main.Short(), "nothing"), or(role.Main.Short(), "nothing"))
		case r.Beside != role.Beside:
			say("has %s beside it, and shall have %s", or(r.Beside.Short(), "nothing"), or(role.Beside.Short(), "nothing"))
		case all:
			say("runs %s, as it shall", or(r.Main.Short(), "nothing"))
		}
	}
	for _, t := range r.Troubles {
		say("%s of %s: %s", t.Kind, t.Release.Short(), t.Text)
	}
	for _, t := range s.Troubles {
		say("%s: %s", t.Kind, t.Text)
	}
	if all {
		keys := []string{"cell " + s.Cell, "tow " + s.Version}
		if s.Region != "" {
			keys = append(keys, "region "+s.Region)
		}
		slices.Sort(keys)
		say("%s", strings.Join(keys, ", "))
	}
	return lines
}

// interruptible is a context that an interrupt ends.
func interruptible(ctx context.Context) context.Context {
	ctx, _ = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM) // for the rest of the process's life
	return ctx
}

// whose is a result, and whose doing it is.
func whose(o *deploy.Outcome) string {
	if o.Blame == deploy.Nobody {
		return string(o.Result)
	}
	return fmt.Sprintf("%s, by %s", o.Result, o.Blame)
}
