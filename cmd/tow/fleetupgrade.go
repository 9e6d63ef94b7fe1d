//go:build !solo

// tow fleet upgrade: another tow goes to an environment's nodes, watched all the way.

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

func fleetUpgradeCommand(u *ui) *cobra.Command {
	g := &fleetUpgrade{ui: u}
	c := &cobra.Command{
		Use:   "upgrade [EXECUTABLE]",
		Short: "Have an environment's nodes become another tow",
		Long: `Deploy a tow to the nodes of an environment that were started with --upgradable: this one,
or the EXECUTABLE. It goes in waves, by the machine that deploys programs: no more nodes
of a cell are away at once than may be, freezes and windows hold, and a node that dies
twice of the new tow goes back by itself, and the deployment with it.

Before, it is shown what the nodes run. Nothing moves where the new tow does not serve
what runs, ran before or is being deployed, where it is for other machines, or where it is
an earlier version than a node's, unless --downgrade says that this is meant.

Each node has its requests end, and goes on as the new tow. "tow deploy rollback" takes it
back to what ran before, which is the tow that is installed the first time.`,
		Example: "  tow fleet upgrade --env prod --dry-run\n" +
			"  tow fleet upgrade --env prod\n" +
			"  tow fleet upgrade --env prod --why \"a slow decoder\" dist/tow",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage{fmt.Errorf("tow fleet upgrade takes one executable, and %q is one too many", args[1]), "tow fleet upgrade"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return g.run(c.Context(), strings.Join(args, "")) },
	}
	f := c.Flags()
	f.StringVar(&g.env, "env", "", "of the environment `NAME`")
	f.StringVar(&g.why, "why", "", "say `WHY`, for those who look at it later")
	f.StringVar(&g.pipeline, "pipeline", "", "go by the waves in the `FILE`, as in deploy.toml, with onebox = false (default: 5, 25 and 100 %, each for 5 minutes)")
	f.StringArrayVar(&g.sign, "sign", nil, "sign the release with the key in the `FILE`; may be given several times")
	f.BoolVar(&g.downgrade, "downgrade", false, "go to an earlier version")
	f.BoolVar(&g.dryRun, "dry-run", false, "show what would be done, and do nothing")
	f.BoolVar(&g.detach, "detach", false, "do not wait for it: print its name, and end")
	f.BoolVar(&g.json, "json", false, "print what happens as lines of JSON")
	_ = c.MarkFlagRequired("env")
	g.at.flags(c)
	return c
}

// fleetUpgrade is one tow fleet upgrade.
type fleetUpgrade struct {
	*ui
	at                              controlAt
	env, why, pipeline              string
	sign                            []string
	downgrade, dryRun, detach, json bool
}

func (g *fleetUpgrade) run(ctx context.Context, file string) error {
	pipeline, err := g.readPipeline()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	m, err := g.make(ctx, file)
	if err != nil {
		return err
	}
	c, err := g.at.open()
	if err != nil {
		return err
	}
	defer c.Close()
	flight := &preflight{release: m.release, digest: m.digest}
	head, err := flight.look(ctx, c)
	if err != nil {
		return g.at.told(err)
	}
	if flight.unchanged(head) {
		fmt.Fprintf(g.out, "Nothing changes: the nodes of %s run %s already.\n", g.env, printable(m.release.Toolchain))
		return nil
	}
	if err := g.cleared(flight); err != nil || g.dryRun {
		return err
	}
	if err = m.put(ctx, c, g.sign); err == nil {
		err = m.trusted(ctx, c)
	}
	if err != nil {
		return g.at.told(err)
	}
	stages, err := json.Marshal(pipeline)
	if err != nil {
		return err
	}
	r, err := c.Deploy.CreateDeployment(ctx, &towpathv1.CreateDeploymentRequest{
		Program: release.Tow, Environment: g.env, Release: string(m.digest), Request: rand.Text(), Why: g.why, Pipeline: stages,
		Checks: []*towpathv1.Check{{Name: "preflight", Text: flight.summary()}},
	})
	if err != nil {
		return g.at.told(err)
	}
	return g.follow(ctx, c, r.GetId())
}

// follow shows the deployment, unless nobody wants to see it.
func (g *fleetUpgrade) follow(ctx context.Context, c *client.Control, id string) error {
	if g.detach {
		fmt.Fprintln(g.out, id)
		return nil
	}
	w := &deployWatch{ui: g.ui, json: g.json, id: id}
	return g.at.told(w.run(ctx, c))
}

// cleared shows what the preflight found. What speaks against the upgrade is the error.
func (g *fleetUpgrade) cleared(p *preflight) error {
	w := g.out
	if g.json { // of what happens alone
		w = g.err
	}
	if err := p.show(w, g.outColor); err != nil {
		return err
	}
	refusals := p.refusals(g.downgrade)
	if len(refusals) == 0 {
		return nil
	}
	return wrong{fmt.Errorf("nothing is upgraded:\n  %s", strings.Join(refusals, "\n  "))}
}

func (g *fleetUpgrade) readPipeline() (deploy.Pipeline, error) {
	if g.pipeline == "" {
		return deploy.UpgradePipeline(), nil
	}
	text, err := os.ReadFile(g.pipeline)
	if err != nil {
		return deploy.Pipeline{}, err
	}
	p, err := deploy.ReadPipeline(filepath.Base(g.pipeline), text)
	if err != nil {
		return p, g.mistakes("", err, false)
	}
	return p, nil
}

// make makes the release of an executable; "" is the one that runs.
func (g *fleetUpgrade) make(ctx context.Context, file string) (*made, error) {
	own := file == ""
	if own {
		var err error
		if file, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > release.MaxExecutable {
		return nil, usage{fmt.Errorf("%s has %s: expected %s at most", file, size(int(info.Size())), size(release.MaxExecutable)), ""}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	about := thisTow()
	if !own {
		if file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		told, err := askTow(ctx, file)
		if err != nil {
			return nil, wrong{fmt.Errorf("%s: %w", file, err)}
		}
		about = *told
	}
	m := &made{executable: data}
	if m.release, err = release.NewTow(g.env, about.Version, about.Platform, release.Range(about.ABI), release.PartOf(data)); err != nil {
		return nil, wrong{err}
	}
	m.digest, err = m.release.Digest()
	return m, err
}
