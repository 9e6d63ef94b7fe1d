//go:build !solo

// tow fleet status: what an environment's nodes run, and what they shall.

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/fleet"
)

func fleetStatusCommand(u *ui) *cobra.Command {
	s := &fleetStatus{ui: u}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what an environment's nodes run",
		Long: `Show the cells of an environment, what their nodes shall run, and for each node whether
a control node hears of it, what it runs of each program, what it has beside that and
for which share of the requests, and what it can go back to. Below is who lives and
is not ready, what is wrong, and which references of a release's environment,
${env:NAME} and ${file:PATH}, do not resolve at a node. Of a node that is away it is
what it ran when it was heard of last.

With --json it prints one object, whose names are stable; with --watch it goes on until
Control-C, in a terminal on one page, and elsewhere a line for each change.`,
		Example: "  tow fleet status --env prod\n" +
			"  tow fleet status --env prod --watch\n" +
			"  tow fleet status --env prod --json | jq -r '.cells[].nodes[] | select(.attached | not) | .name'",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c.Context()) },
	}
	f := c.Flags()
	f.StringVar(&s.env, "env", "", "of the environment `NAME`")
	f.BoolVar(&s.json, "json", false, "print JSON")
	f.BoolVar(&s.watch, "watch", false, "look again and again")
	f.DurationVar(&s.every, "every", 2*time.Second, "with --watch, look after each `TIME`")
	_ = c.MarkFlagRequired("env")
	s.at.flags(c)
	return c
}

// fleetStatus is one tow fleet status.
type fleetStatus struct {
	*ui
	at          controlAt
	env         string
	json, watch bool
	every       time.Duration
	last        string // what was said last, outside a terminal
}

func (s *fleetStatus) run(ctx context.Context) error {
	if s.every <= 0 {
		return usage{fmt.Errorf("--every %s: expected it to be above zero", s.every), "tow fleet status"}
	}
	if s.watch {
		return s.again(ctx)
	}
	return s.at.ask(ctx, func(ctx context.Context, api *client.Control) error {
		v, err := s.look(ctx, api)
		if err != nil {
			return err
		}
		if s.json {
			return s.lines(1, func(int) any { return v })
		}
		return s.showFleet(s.out, v, time.Now())
	})
}

// look asks how the fleet is.
func (s *fleetStatus) look(ctx context.Context, api *client.Control) (*fleetView, error) {
	r, err := api.Deploy.GetFleet(ctx, &towpathv1.GetFleetRequest{Environment: s.env})
	if err != nil {
		return nil, err
	}
	return newFleetView(s.env, r)
}

// again shows the fleet over and over. The control node may be away for a while.
func (s *fleetStatus) again(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	api, err := s.at.open()
	if err != nil {
		return err
	}
	defer api.Close()
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for first := true; ; first = false {
		asking, cancel := context.WithTimeout(ctx, askTime)
		v, err := s.look(asking, api)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return s.at.told(err)
		}
		if err := s.tick(v, s.at.told(err)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tick shows one look, or why it failed.
func (s *fleetStatus) tick(v *fleetView, failed error) error {
	now := time.Now()
	if s.outTerminal && !s.json {
		var page bytes.Buffer
		page.WriteString("\x1b[H\x1b[2J") // a clean screen
		if failed != nil {
			fmt.Fprintln(&page, failed)
		} else if err := s.showFleet(&page, v, now); err != nil {
			return err
		}
		fmt.Fprintf(&page, "\n%s, every %s. Ctrl-C ends it.\n", now.Format(time.TimeOnly), s.every)
		_, err := s.out.Write(page.Bytes())
		return err
	}
	line := ""
	switch {
	case failed != nil && s.json:
		text, err := json.Marshal(map[string]string{"error": failed.Error()})
		if err != nil {
			return err
		}
		line = string(text)
	case failed != nil:
		line = failed.Error()
	case s.json:
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		line = string(text)
	default:
		line = v.line()
	}
	if line == s.last {
		return nil
	}
	s.last = line
	if !s.json {
		line = now.Format(time.TimeOnly) + "  " + line
	}
	_, err := fmt.Fprintln(s.out, line)
	return err
}

// A fleetView is an environment's nodes, as they are shown.
type fleetView struct {
	Environment string      `json:"environment"`
	Cells       []*cellView `json:"cells"`
}

// cellView is a cell: what its nodes shall run, by program, and who they are.
type cellView struct {
	Name    string                   `json:"cell"`
	Intents map[string]*fleet.Intent `json:"intents"`
	Nodes   []*nodeView              `json:"nodes"`
}

// nodeView is a node.
type nodeView struct {
	Name     string        `json:"name"`
	Attached bool          `json:"attached"`
	Since    string        `json:"since,omitempty"` // it is attached, or away; "" is not known
	Status   *fleet.Status `json:"status"`
	// Behind is what it does otherwise than it shall, by program.
	Behind map[string]string `json:"behind,omitempty"`
}

func newFleetView(environment string, r *towpathv1.GetFleetResponse) (*fleetView, error) {
	v := &fleetView{Environment: environment, Cells: []*cellView{}}
	cell := func(name string) *cellView {
		for _, c := range v.Cells {
			if c.Name == name {
				return c
			}
		}
		c := &cellView{Name: name, Intents: map[string]*fleet.Intent{}, Nodes: []*nodeView{}}
		v.Cells = append(v.Cells, c)
		return c
	}
	for _, i := range r.GetIntents() {
		intent, err := fleet.DecodeIntent(i.GetProgram()+" in "+i.GetCell(), i.GetIntent())
		if err != nil {
			return nil, err
		}
		cell(i.GetCell()).Intents[i.GetProgram()] = intent
	}
	for _, n := range r.GetNodes() {
		status, err := fleet.DecodeStatus("the node "+n.GetName(), n.GetStatus())
		if err != nil {
			return nil, err
		}
		c := cell(status.Cell)
		c.Nodes = append(c.Nodes, &nodeView{Name: n.GetName(), Attached: n.GetAttached(), Since: n.GetSince(), Status: status})
	}
	slices.SortFunc(v.Cells, func(a, b *cellView) int { return cmp.Compare(a.Name, b.Name) })
	for _, c := range v.Cells {
		slices.SortFunc(c.Nodes, func(a, b *nodeView) int { return cmp.Compare(a.Name, b.Name) })
		for _, n := range c.Nodes {
			n.compare(c.Intents)
		}
	}
	return v, nil
}

// compare finds what the node does otherwise than it shall.
func (n *nodeView) compare(intents map[string]*fleet.Intent) {
	n.Behind = map[string]string{}
	for program, i := range intents {
		if text := behindText(n.Status.Programs[program], i.RoleOf(n.Name)); text != "" && n.Status.Follows(program) {
			n.Behind[program] = text
		}
	}
	for program, r := range n.Status.Programs {
		if intents[program] == nil && r.Main != "" {
			n.Behind[program] = "shall run nothing"
		}
	}
}

// behindText is what a node shall run and does not; "" is nothing.
func behindText(r fleet.Running, role fleet.Role) string {
	switch {
	case r.Main != role.Main:
		return "shall run " + or(role.Main.Short(), "nothing")
	case r.Beside != role.Beside && role.Beside == "":
		return "shall have nothing beside it"
	case r.Beside != role.Beside || r.Share != role.Share:
		return fmt.Sprintf("shall have %s beside it, for %.3g%%", role.Beside.Short(), 100*role.Share)
	}
	return ""
}
