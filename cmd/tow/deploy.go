//go:build !solo

// tow deploy: a program goes to an environment's nodes, watched all the way.

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/artifact/compat"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/project"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/tester"
)

func deployCommand(u *ui) *cobra.Command {
	d := &deploying{ui: u}
	c := &cobra.Command{
		Use:   "deploy [DIR]",
		Short: "Deploy a program to an environment's nodes",
		Long: `Build the project in DIR, run its tests, make a release of it for an environment, and
deploy that to the environment's nodes: to one of them beside what it runs, and then
in waves, as deploy.toml says. A release that is worse goes back by itself.

What is shown is the deployment as it goes. Interrupt ends the showing, and not the
deployment: "tow deploy status ID" shows it again.

Where nothing has changed, nothing is deployed. Where the new version breaks programs
that call it, or takes what it took no longer, it is not deployed without --breaking.`,
		Example: "  tow deploy --to prod\n" +
			"  tow deploy shop --to prod --why \"free shipping in May\"\n" +
			"  tow deploy --to prod --replay .tow/records\n" +
			"  tow deploy --to prod --detach",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage{fmt.Errorf("tow deploy takes one project, and %q is one too many", args[1]), "tow deploy"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return d.run(c.Context(), dir)
		},
	}
	f := c.Flags()
	f.StringVar(&d.to, "to", "", "deploy to the environment `NAME`")
	f.StringVar(&d.why, "why", "", "say `WHY`, for those who look at it later")
	f.StringVar(&d.pipeline, "pipeline", "", "go by the stages in the `FILE` (default: deploy.toml of the project, if there is one)")
	f.StringArrayVar(&d.sign, "sign", nil, "sign the release with the key in the `FILE`; may be given several times")
	f.StringVar(&d.replay, "replay", "", "have requests answered by both versions first that are recorded in the folder `DIR`")
	f.BoolVar(&d.generated, "generated", false, "take requests for evidence that are made up from types, as if they were recorded: for a program that nobody asks")
	f.StringVar(&d.differs, "differs", "", "that answers of recorded requests differ is intended: say `WHY`")
	f.BoolVar(&d.breaking, "breaking", false, "deploy a version that is not compatible with the one that runs")
	f.BoolVar(&d.detach, "detach", false, "do not wait for it: print its name, and end")
	f.BoolVar(&d.json, "json", false, "print what happens as lines of JSON")
	d.at.flags(c)
	c.AddCommand(deployListCommand(u), deployStatusCommand(u), deployExplainCommand(u), deployApproveCommand(u), deployReplayCommand(u), deployRollbackCommand(u), deployLeaveCommand(u))
	return c
}

// deploying is one tow deploy.
type deploying struct {
	*ui
	at                     controlAt
	to, why, pipeline      string
	replay, differs        string
	generated              bool
	sign                   []string
	breaking, detach, json bool
}

func (d *deploying) run(ctx context.Context, dir string) error {
	if d.to == "" {
		return usage{errors.New("tow deploy needs --to ENVIRONMENT: the name of a file in env/, without .toml"), "tow deploy"}
	}
	if d.generated && d.replay != "" {
		return usage{errors.New("--generated is for who has no recorded requests, and --replay names some: leave one out"), "tow deploy"}
	}
	p, err := project.Find(dir)
	if err != nil {
		return err
	}
	pipeline, err := d.readPipeline(p.Root)
	if err != nil {
		return err
	}
	res, err := d.build(p)
	if err != nil {
		return err
	}
	c, err := d.at.open()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	made, err := d.make(ctx, c, p, res)
	if err != nil {
		return d.at.told(err)
	}
	if made.unchanged() {
		return d.at.told(d.tellUnchanged(ctx, c, p.Name, made.digest))
	}
	checks, err := d.check(ctx, c, p, res, made)
	if err != nil {
		return d.at.told(err)
	}
	found, err := d.replayBoth(ctx, c, made)
	if err != nil {
		return d.at.told(err)
	}
	if found.Requests > 0 {
		checks = append(checks, found.check(d.differs))
	}
	if err := made.put(ctx, c, d.sign); err != nil {
		return d.at.told(err)
	}
	if err := made.trusted(ctx, c); err != nil {
		return d.at.told(err)
	}
	if made.head.GetCurrent() == "" {
		fmt.Fprintf(d.err, "The first release of %s in %s: there is nothing to compare it with. It serves as soon as a stage reaches a node, and its stages bake for %s.\n", p.Name, d.to, bakes(&pipeline))
	}
	stages, err := json.Marshal(pipeline)
	if err != nil {
		return err
	}
	counted := found.counted(d.generated)
	r, err := c.Deploy.CreateDeployment(ctx, &towpathv1.CreateDeploymentRequest{
		Program: p.Name, Environment: d.to, Release: string(made.digest), Request: rand.Text(), Why: d.why, Checks: checks, Pipeline: stages, Replayed: counted.Requests, Dearer: counted.Dearer, Generated: counted.Generated, Against: made.head.GetCurrent(),
	})
	if err != nil {
		return d.at.told(err)
	}
	if d.detach {
		fmt.Fprintln(d.out, r.GetId())
		return nil
	}
	w := &deployWatch{ui: d.ui, json: d.json, id: r.GetId()}
	return d.at.told(w.run(ctx, c))
}

// bakes is for how long all stages bake, at least.
func bakes(p *deploy.Pipeline) time.Duration {
	all := time.Duration(0)
	for i := range p.Stages {
		all += p.Stages[i].Bake
	}
	return all
}

// pipelineName is the file of a project that says how it is deployed.
const pipelineName = "deploy.toml"

func (d *deploying) readPipeline(root string) (deploy.Pipeline, error) {
	file := d.pipeline
	if file == "" {
		file = filepath.Join(root, pipelineName)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && d.pipeline == "" {
		return deploy.DefaultPipeline(), nil
	}
	if err != nil {
		return deploy.Pipeline{}, err
	}
	p, err := deploy.ReadPipeline(filepath.Base(file), text)
	if err != nil {
		return p, d.mistakes("", err, false)
	}
	return p, nil
}

// made is a release that was made, and what it would replace.
type made struct {
	release  *release.Release
	digest   release.Digest
	artifact []byte
	manifest *artifact.Manifest
	bundle   []byte
	// executable is of tow itself, which has neither artifact nor bundle.
	executable []byte
	head       *towpathv1.ProgramHead            // nil: it was never deployed
	others     map[string]*towpathv1.ProgramHead // of the environment, by program
}

func (m *made) unchanged() bool {
	return m.head != nil && m.head.GetActive() == "" && m.head.GetCurrent() == string(m.digest)
}

// make makes the release.
func (d *deploying) make(ctx context.Context, c *client.Control, p *project.Project, res *compile.Result) (*made, error) {
	binding, left, err := release.Collect(p.Root, d.to)
	if err != nil {
		return nil, err
	}
	for _, l := range left {
		fmt.Fprintf(d.err, "Not in the release: %s\n", l)
	}
	e, err := bind.Read(p.Root, d.to)
	if err != nil {
		return nil, d.mistakes("", err, false)
	}
	list, err := c.Deploy.ListDeployments(ctx, &towpathv1.ListDeploymentsRequest{Environment: d.to, Limit: 1})
	if err != nil {
		return nil, err
	}
	m := &made{artifact: res.Artifact, manifest: res.Manifest, others: map[string]*towpathv1.ProgramHead{}}
	for _, h := range list.GetPrograms() {
		if m.others[h.GetProgram()] = h; h.GetProgram() == p.Name {
			m.head = h
		}
	}
	calls := map[string]release.Digest{}
	for operation, v := range e.Views(res.Manifest) {
		h := m.others[v.Program]
		if h.GetCurrent() == "" {
			return nil, wrong{fmt.Errorf("%s is answered by a view of %s, and nothing of that program runs in %s: deploy it first", operation, v.Program, d.to)}
		}
		calls[v.Program] = release.Digest(h.GetCurrent())
	}
	if m.release, err = release.New(d.to, res.Artifact, binding, calls); err != nil {
		return nil, err
	}
	if m.bundle, err = binding.Encode(); err != nil {
		return nil, err
	}
	m.digest, err = m.release.Digest()
	return m, err
}

// check runs the tests, and compares with what runs. What was found is shown.
func (d *deploying) check(ctx context.Context, c *client.Control, p *project.Project, res *compile.Result, m *made) ([]*towpathv1.Check, error) {
	ok := "ok"
	if d.unicode {
		ok = "✓"
	}
	checks := []*towpathv1.Check{{Name: "build", Text: size(len(res.Artifact))}}
	fmt.Fprintf(d.err, "build %s  ", ok)
	t := &testRun{ui: d.ui, options: tester.Options{Cases: tester.DefaultCases, Gas: tester.DefaultGas}}
	s := tester.Run(res.Program, t.options, func(*tester.Result) {})
	if s.Failed > 0 {
		fmt.Fprintln(d.err)
		return nil, wrong{fmt.Errorf("%s of %s failed, and nothing is deployed; \"tow test\" shows which", count(s.Failed, "test"), p.Name)}
	}
	fmt.Fprintf(d.err, "tests %s %d\n", ok, s.Passed)
	checks = append(checks, &towpathv1.Check{Name: "tests", Text: fmt.Sprint(s.Passed)})
	report, err := m.compare(ctx, c)
	if err != nil || report == nil {
		return checks, err
	}
	if text := report.String(); report.Verdict() != compat.Compatible || report.Rebinds() {
		fmt.Fprintln(d.err, text)
	}
	if report.Verdict() != compat.Compatible && !d.breaking {
		return nil, wrong{fmt.Errorf("%s is not compatible with the version that runs in %s, and nothing is deployed: make a new view beside the old one, or say --breaking if nobody relies on what changed", p.Name, d.to)}
	}
	return append(checks, &towpathv1.Check{Name: "compatibility", Text: fmt.Sprint(report.Verdict())}), nil
}

// compare compares with the release that runs; nil if there is none.
func (m *made) compare(ctx context.Context, c *client.Control) (*compat.Report, error) {
	running := map[string]release.Digest{}
	for program, h := range m.others {
		running[program] = release.Digest(h.GetCurrent())
	}
	return compareTypes(ctx, apiSource{c}, m.release.Program, m.manifest, release.Digest(m.head.GetCurrent()), running)
}

// apiSource is the objects of a control node.
type apiSource struct{ *client.Control }

func (s apiSource) String() string { return "the control node" }

func (s apiSource) Object(ctx context.Context, kind release.Kind, digest release.Digest) ([]byte, error) {
	data, err := getObject(ctx, s.Control, string(kind), digest)
	if err != nil {
		return nil, err
	}
	if found := release.DigestOf(data); found != digest {
		return nil, fmt.Errorf("%s: the %s is %w: expected %s, found %s", s, kind, release.ErrDamaged, digest, found)
	}
	return data, nil
}

func (s apiSource) Signatures(ctx context.Context, d release.Digest) ([]*release.Envelope, error) {
	text, err := getObject(ctx, s.Control, "signatures", d)
	if err != nil {
		return nil, err
	}
	return release.DecodeEnvelopes(text)
}

// put puts the release and its parts, its document last, and then its signatures.
func (m *made) put(ctx context.Context, c *client.Control, keys []string) error {
	document, err := m.release.Encode()
	if err != nil {
		return err
	}
	for _, o := range []struct {
		kind release.Kind
		data []byte
	}{{release.KindArtifact, m.artifact}, {release.KindBinding, m.bundle}, {release.KindExecutable, m.executable}, {release.KindRelease, document}} {
		if o.data == nil {
			continue
		}
		if err := putObject(ctx, c, string(o.kind), release.DigestOf(o.data), o.data); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	signers, err := readKeys(keys)
	if err != nil {
		return err
	}
	e, err := release.Sign(m.release, signers...)
	if err != nil {
		return err
	}
	text, err := e.Encode()
	if err != nil {
		return err
	}
	return putObject(ctx, c, "signatures", m.digest, text)
}

// trusted looks whether nodes will run the release, before they are asked to.
func (m *made) trusted(ctx context.Context, c *client.Control) error {
	s, err := readSigned(ctx, c, m.digest)
	if err != nil {
		return err
	}
	if _, err = s.trusted(time.Now()); errors.Is(err, release.ErrUntrusted) {
		return wrong{fmt.Errorf("nothing is deployed: %w", err)}
	}
	return err
}

// putObject puts an object of a release to a control node.
func putObject(ctx context.Context, c *client.Control, kind string, digest release.Digest, data []byte) error {
	r, err := c.Do(ctx, http.MethodPut, "/objects/"+kind+"/"+string(digest), data)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the %s was not taken: %s", kind, answerOf(r))
	}
	return nil
}
