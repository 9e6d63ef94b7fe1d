//go:build !solo

// tow deploy list, status, explain, approve, rollback.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/deploy"
)

func deployListCommand(u *ui) *cobra.Command {
	at, q := &controlAt{}, &towpathv1.ListDeploymentsRequest{}
	asJSON := false
	c := &cobra.Command{
		Use:     "list",
		Short:   "List an environment's deployments",
		Long:    "List the deployments of an environment's programs, the newest first.",
		Example: "  tow deploy list --env prod\n  tow deploy list --env prod --program shop --limit 50",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Deploy.ListDeployments(ctx, q)
				if err != nil {
					return err
				}
				if asJSON {
					return u.lines(len(r.GetDeployments()), func(i int) any { return deploymentJSON(r.GetDeployments()[i]) })
				}
				return u.table("DEPLOYMENT\tRELEASE\tHOW\tBY\tCREATED\tWHY", len(r.GetDeployments()), func(w *tabwriter.Writer, i int) {
					d := r.GetDeployments()[i]
					plan, state, err := readDeployment(d)
					if err != nil {
						return
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.GetId(), plan.Brings(), howText(plan, state), printable(or(plan.By, "-")), plan.Created.Local().Format(time.DateTime), printable(plan.Why))
				})
			})
		},
	}
	c.Flags().StringVar(&q.Environment, "env", "", "of the environment `NAME`")
	c.Flags().StringVar(&q.Program, "program", "", "only those of the program `NAME`")
	c.Flags().Int32Var(&q.Limit, "limit", 10, "`N` of each program at most")
	c.Flags().BoolVar(&asJSON, "json", false, "print lines of JSON")
	_ = c.MarkFlagRequired("env")
	at.flags(c)
	return c
}

// deploymentJSON is a deployment as JSON.
func deploymentJSON(d *towpathv1.Deployment) any {
	return map[string]any{"id": d.GetId(), "plan": json.RawMessage(d.GetPlan()), "state": json.RawMessage(d.GetState()), "verdict": d.GetVerdict()}
}

// howText is how a deployment goes, in few words.
func howText(p *deploy.Plan, s *deploy.State) string {
	switch {
	case s.Outcome != nil:
		return whose(s.Outcome)
	case s.Phase == deploy.Running:
		return p.Stages[s.Stage].Name + ": " + string(s.Step)
	}
	return string(s.Phase)
}

func deployStatusCommand(u *ui) *cobra.Command {
	at, watching, asJSON := &controlAt{}, false, false
	c := &cobra.Command{
		Use:     "status ID",
		Short:   "Show how a deployment goes",
		Long:    "Show how far a deployment is, what it waits for, and what its verdict has.",
		Example: "  tow deploy status shop.prod.17\n  tow deploy status shop.prod.17 --watch",
		Args:    exactly("a deployment"),
		RunE: func(c *cobra.Command, args []string) error {
			if watching {
				api, err := at.open()
				if err != nil {
					return err
				}
				defer api.Close()
				return at.told((&deployWatch{ui: u, json: asJSON, id: args[0]}).run(interruptible(c.Context()), api))
			}
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Deploy.GetDeployment(ctx, &towpathv1.GetDeploymentRequest{Id: args[0]})
				if err != nil {
					return err
				}
				d := r.GetDeployment()
				if asJSON {
					return u.lines(1, func(int) any { return deploymentJSON(d) })
				}
				plan, state, err := readDeployment(d)
				if err != nil {
					return err
				}
				from := or(state.From.Short(), "nothing")
				if plan.Undoes != "" {
					from = plan.Undoes + " back"
				}
				fmt.Fprintf(u.out, "%s: %s, %s to %s\n", d.GetId(), howText(plan, state), from, plan.Brings())
				for _, line := range picture(u, plan, state, d.GetVerdict(), time.Now()) {
					fmt.Fprintln(u.out, line)
				}
				if h := d.GetHoldup(); h != "" {
					fmt.Fprintln(u.out, "the platform holds it up: "+printable(h))
				}
				if o := state.Outcome; o != nil {
					fmt.Fprintf(u.out, "%s: %s\n", o.Result, printable(o.Why))
					if o.Evidence != "" {
						fmt.Fprintln(u.out, "  "+printable(o.Evidence))
					}
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&watching, "watch", false, "show it until it has ended, or until interrupted")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	at.flags(c)
	return c
}

func deployApproveCommand(u *ui) *cobra.Command {
	return deployAskCommand(u, "approve ID", "Approve a deployment's next stage",
		"Let a deployment begin the stage that waits for an approval.", "  tow deploy approve shop.prod.17 --why \"looked at the dashboards\"", deploy.AskApprove, "approved")
}

func deployRollbackCommand(u *ui) *cobra.Command {
	c := deployAskCommand(u, "rollback ID", "Take a deployment back",
		`Have all nodes run again what they ran before a deployment began. One that has not
begun is cancelled. The last one that has succeeded is taken back by a new deployment, which
waits for no window, no freeze and no evidence; nodes that ran what it brings have it on
their disks.`,
		"  tow deploy rollback shop.prod.17 --why \"complaints from support\"", deploy.AskBack, "goes back")
	c.Aliases = []string{"cancel"}
	return c
}

func deployLeaveCommand(u *ui) *cobra.Command {
	return deployAskCommand(u, "leave ID", "End a deployment without the nodes that are behind",
		`End a deployment that has passed, or goes back, and waits for nodes that do not come to
run what they shall. They take it up when they can; the next deployment may begin.`,
		"  tow deploy leave shop.prod.17 --why \"eu-7's disk is full\"", deploy.AskLeave, "ends without the nodes that are behind")
}

func deployAskCommand(u *ui, use, short, long, example string, kind deploy.AskKind, done string) *cobra.Command {
	at, why := &controlAt{}, ""
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		Args: exactly("a deployment"),
		RunE: func(c *cobra.Command, args []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Deploy.AskDeployment(ctx, &towpathv1.AskDeploymentRequest{Id: args[0], Kind: string(kind), Why: why})
				if err != nil {
					return err
				}
				if id := or(r.GetId(), args[0]); id != args[0] {
					fmt.Fprintf(u.out, "%s takes %s back\n", id, args[0])
					return nil
				}
				fmt.Fprintf(u.out, "%s: %s\n", args[0], done)
				return nil
			})
		},
	}
	c.Flags().StringVar(&why, "why", "", "say `WHY`, for those who look at it later")
	at.flags(c)
	return c
}
