//go:build !solo

// What the commands of tow cluster share that change a cluster: the plan is shown, agreed to
// and carried out.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/cluster"
)

// clusterChange is one change of a cluster.
type clusterChange struct {
	*ui
	etcd           etcdFlags
	dry, yes, json bool
	timeout        time.Duration
	request        cluster.Request
	// floor bounds what may be forgotten, where something does.
	floor func(*clientv3.Client) cluster.Floor

	what string // the command, for others
	bar  *waitLine
}

// flags adds the flags that all changes have.
func (g *clusterChange) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&g.dry, "dry-run", false, "show the plan, and change nothing")
	f.BoolVar(&g.yes, "yes", false, "do it without asking")
	f.BoolVar(&g.json, "json", false, "print the plan as JSON")
	f.DurationVar(&g.timeout, "timeout", time.Hour, "give up after the `TIME`; run again, it goes on where the cluster is")
	g.etcd.flags(c)
}

// command is what runs it.
func (g *clusterChange) command(fill func(args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		g.what = strings.Join(append([]string{c.CommandPath()}, args...), " ")
		if err := fill(args); err != nil {
			return err
		}
		return g.run(c.Context())
	}
}

// run shows the plan, asks and carries it out.
func (g *clusterChange) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, fmt.Errorf("it is not done after %s: run the command again, and it goes on where the cluster is", g.timeout))
	defer cancel()
	client, err := g.etcd.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // says that its context has ended
	runner := &cluster.Runner{Client: client, Who: whoami(), What: g.what, Report: g.report, Observe: cluster.Options{Probes: 2}}
	if runner.Observe.Peers, err = g.etcd.peers(); err != nil {
		return err
	}
	if g.floor != nil {
		runner.Floor = g.floor(client)
	}
	seen, plan, err := runner.Preview(ctx, g.request)
	if err != nil {
		return g.etcd.told(err)
	}
	if err := g.shown(plan); err != nil {
		return err
	}
	if len(plan.Steps) == 0 && g.request.Op == cluster.Add && seen.Joining(g.request.Peers) {
		g.startHint(seen)
	}
	if g.dry || len(plan.Steps) == 0 {
		return nil
	}
	if err := g.agreedTo(g.yes); err != nil {
		return err
	}
	g.bar = &waitLine{ui: g.ui}
	err = runner.Run(ctx, g.request)
	g.bar.end()
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("stopped; run it again, and it goes on where the cluster is:\n\n  %s", g.what)
	case err != nil:
		return g.refused(g.etcd.told(err))
	}
	g.hints()
	return nil
}

// shown puts the plan on the screen; a refusal is an error.
func (g *clusterChange) shown(plan cluster.Plan) error {
	if g.json {
		if plan.Steps == nil {
			plan.Steps = []cluster.Step{}
		}
		if err := json.NewEncoder(g.out).Encode(plan); err != nil {
			return err
		}
		if plan.Refused() != nil {
			return errWrong // and said
		}
		return nil
	}
	if err := plan.Refused(); err != nil {
		return g.refused(err)
	}
	if len(plan.Steps) == 0 {
		fmt.Fprintln(g.err, "There is nothing to do.")
		for _, note := range plan.Notes {
			fmt.Fprintln(g.err, note)
		}
		return nil
	}
	return g.showPlan(plan)
}

// refused is an error that is nobody's failure.
func (g *clusterChange) refused(err error) error {
	var refused *cluster.RefusedError
	var held *cluster.HeldError
	if errors.As(err, &refused) || errors.As(err, &held) {
		return wrong{err}
	}
	return err
}

// whoami is who runs the command, for others.
func whoami() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	return fmt.Sprintf("%s@%s", name, host)
}

// report tells what happens.
func (g *clusterChange) report(e cluster.Event) {
	switch e.Kind {
	case cluster.Begun:
		g.bar.begin(e.Step.String())
		if e.Step.Kind == cluster.StepStart {
			g.bar.end()
			g.startHint(e.Observed)
		}
	case cluster.Waiting:
		at := e.Observed.Member(e.Step.Member)
		g.bar.wait(e.Step.String(), cluster.Lag(at))
	case cluster.Again:
		g.bar.wait(e.Step.String(), "etcd does not do it yet: "+firstLine(e.Err))
	case cluster.Done:
		g.bar.done(e.Step.String())
		if e.Step.Kind == cluster.StepAdd && g.request.Op == cluster.Add {
			g.bar.end()
			g.startHint(e.Observed)
		}
	}
}

// firstLine is why a step is not done yet.
func firstLine(err error) string {
	if errors.Is(err, rpctypes.ErrUnhealthy) {
		return "it wants to have heard of all voters for five seconds"
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "etcdserver: "), "\n")
	return line
}

// startHint says how the new member is started.
func (g *clusterChange) startHint(o *cluster.Observed) {
	name, peers := g.request.With, g.request.Peers
	if !g.etcd.isOwn() {
		fmt.Fprintf(g.err, "\nStart %s on its machine, with an empty data folder:\n\n", name)
		fmt.Fprintf(g.out, "%s\n", indented(cluster.StartCommand(o, name, peers)))
		fmt.Fprintln(g.err)
		return
	}
	at := "HOST:7072"
	if u, err := url.Parse(peers[0]); err == nil {
		at = u.Host
	}
	host, _, _ := strings.Cut(at, ":")
	fmt.Fprintf(g.err, "\nStart %s on its machine, as a control node that joins; it votes by itself when it has learned what there is:\n\n", name)
	fmt.Fprintf(g.out, "    tow join-token create --role control\n    tow serve --role control --node %s --control-listen %s:7071 --peer-listen %s --join URL --join-token TOKEN\n", name, host, at)
	fmt.Fprintln(g.err)
}

func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// hints says what there is to do behind it.
func (g *clusterChange) hints() {
	r, own := &g.request, g.etcd.isOwn()
	switch {
	case r.Op == cluster.Add && !own:
		fmt.Fprintf(g.err, "Once it has started: tow cluster promote %s\n", r.With)
	case (r.Op == cluster.Remove || r.Op == cluster.Replace) && own:
		fmt.Fprintf(g.err, "The certificate of %s is good still: \"tow principal revoke %s\" ends it.\n", r.Member, r.Member)
	case r.Op == cluster.Remove:
		fmt.Fprint(g.err, "Its etcd has ended, or ends when it starts; remove its data folder before it joins again.\n")
	}
}

// A waitLine shows a step that takes its time: in a terminal on one line that changes,
// elsewhere on a line each time that there is something new, and not too often.
type waitLine struct {
	*ui
	text  string
	lines bool // there is an open line
	last  time.Time
}

// waitEvery is how often a wait is told of where lines stay.
const waitEvery = 10 * time.Second

func (w *waitLine) begin(step string) {
	w.put(mark(w.unicode, "→", ">")+" "+step, true)
}

func (w *waitLine) wait(step, why string) {
	text := mark(w.unicode, "→", ">") + " " + step + ": " + why
	if !w.outTerminal && time.Since(w.last) < waitEvery || text == w.text {
		return
	}
	w.last = time.Now()
	w.put(text, true)
}

func (w *waitLine) done(step string) {
	w.put(paint(w.errColor, green, mark(w.unicode, "✓", "ok"))+" "+step, false)
}

// put writes a line over the open one; it stays open.
func (w *waitLine) put(text string, open bool) {
	w.text = text
	if w.outTerminal {
		begin := ""
		if w.lines {
			begin = "\r\x1b[K"
		}
		fmt.Fprint(w.err, begin+text)
		if w.lines = open; !open {
			fmt.Fprintln(w.err)
		}
		return
	}
	fmt.Fprintln(w.err, text)
}

// end closes the open line.
func (w *waitLine) end() {
	if w.lines {
		fmt.Fprintln(w.err)
		w.lines = false
	}
}

func mark(unicode bool, sign, otherwise string) string {
	if unicode {
		return sign
	}
	return otherwise
}
