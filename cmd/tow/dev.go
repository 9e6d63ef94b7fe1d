// tow dev: a project serves while it is written.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/project"
	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/serve"
)

func devCommand(u *ui) *cobra.Command {
	d := &dev{ui: u}
	c := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Serve a project while you write it",
		Long: `Serve the project that the folder DIR lies in (default: the current one) on this
machine, with the environment "dev", and read it again whenever a file of it is
saved. Mistakes are shown here and in the header Towpath-Notice of answers; the
last version without any serves on.

What the project needs beside itself is started first, as its tow.toml says:

  [dev]
  try = { view = "shipping.quote", input = "input.json" }

  [dev.run.market]
  command = "go run ./seed -o market.db"
  makes = "market.db"              # once, when the file is not there

  [dev.run.pricing]
  command = "./pricing -listen 127.0.0.1:$PORT"
  ready = "/healthz"               # a path that answers 200

Each of them finds a free port in PORT; the files of the environment refer to it
as ${env:PRICING_PORT}. Requests are recorded in .tow/records, where
"tow explain-request" and "tow replay" find them.`,
		Example: "  tow dev\n  tow dev apps/featured-offer\n  tow dev --env postgres --listen 127.0.0.1:8080",
		Args:    atMost(1, "one folder"),
		RunE:    func(c *cobra.Command, args []string) error { return d.run(c.Context(), first(args, ".")) },
	}
	c.Flags().StringVar(&d.env, "env", "", "use the environment `NAME` (default: what tow.toml says, else dev)")
	c.Flags().StringVar(&d.listen, "listen", "", "listen on `ADDRESS` (default: what tow.toml says, else 127.0.0.1:7070)")
	return c
}

// dev is one tow dev.
type dev struct {
	*ui
	env, listen string

	project *project.Project
	plan    *project.Dev
	serve   *responder
}

func (d *dev) run(ctx context.Context, dir string) (err error) {
	if d.project, err = project.Find(dir); err != nil {
		return err
	}
	if d.plan, err = d.project.ReadDev(); err != nil {
		return wrong{err}
	}
	d.env, d.listen = or(d.env, d.plan.Env), or(d.listen, d.plan.Listen)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	state := filepath.Join(d.project.Root, stateDir)
	if err := ignoreState(state); err != nil {
		return err
	}
	ring, err := record.Open(filepath.Join(state, "records"), record.Options{Sample: 1, MaxBytes: 64 << 20})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.Close(context.WithoutCancel(ctx))) }()
	l, err := d.open()
	if err != nil {
		return err
	}
	defer l.Close()
	procs := &processes{ui: d.ui, dir: d.project.Root}
	defer procs.stop()
	if err := procs.start(ctx, d.plan.Run); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	server := serve.New(serve.Options{Records: ring})
	d.serve = newResponder(server)
	defer server.Close(context.WithoutCancel(ctx))
	ended := make(chan error, 2)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { ended <- server.Serve(ctx, l, serve.Limits{}, nil, 0) }()
	go func() { ended <- d.follow(ctx, l, procs.failed) }()
	err = <-ended
	cancel()
	return errors.Join(err, <-ended)
}

// open listens where it was told to; where another already does, and nobody named
// the place on the command line, on a free port.
func (d *dev) open() (net.Listener, error) {
	switch loopback, err := isLoopback(d.listen); {
	case err != nil:
		return nil, usage{err, "tow dev"}
	case !loopback:
		return nil, usage{fmt.Errorf("%s can be reached from other machines, and tow dev lets in anyone; \"tow serve\" knows tokens", d.listen), "tow dev"}
	}
	l, err := net.Listen("tcp", d.listen)
	if err == nil {
		return l, nil
	}
	if host, _, bad := net.SplitHostPort(d.listen); bad == nil && d.listen == d.plan.Listen && errors.Is(err, syscall.EADDRINUSE) {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			fmt.Fprintf(d.err, "%s is taken, so it is another port.\n", d.listen)
			return l, nil
		}
	}
	return nil, cannotListen(d.listen, err)
}

// ignoreState makes the folder for what tow keeps, and has version control leave
// it alone.
func ignoreState(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o644)
}

// follow puts the project in place now and after each change.
func (d *dev) follow(ctx context.Context, l net.Listener, failed <-chan error) error {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	changes := make(chan time.Time)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for {
			select {
			case t := <-ticker.C:
				select {
				case changes <- t:
				case <-ctx.Done():
					return
				}
			case err := <-failed:
				cancel(err)
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	shown := false
	err := watch(ctx, d.project.Root, changes, func() error {
		begin := time.Now()
		m, err := d.put(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.notice(err, shown)
		case !shown:
			shown = true
			d.welcome(l, m)
		default:
			fmt.Fprintf(d.err, "%s in place after %s.\n", count(len(m.Views), "view"), time.Since(begin).Round(time.Millisecond))
		}
		return nil
	})
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// put compiles the project and serves it.
func (d *dev) put(ctx context.Context) (*artifact.Manifest, error) {
	p, err := project.Load(d.project.Root)
	if err != nil {
		return nil, err
	}
	res, err := d.build(p)
	if err != nil {
		return nil, err
	}
	if len(res.Manifest.Views) == 0 {
		return nil, errors.New("the project has no views, so there is nothing to serve: declare one with \"view\" instead of \"fn\"")
	}
	if err := d.keep(res.Artifact); err != nil {
		return nil, err
	}
	release, err := d.serve.load(ctx, res.Artifact, p.Root, d.env)
	if err != nil {
		return nil, err
	}
	d.serve.server.Put(p.Name, release)
	d.serve.server.Notice("")
	return res.Manifest, nil
}

// keep keeps the artifact for replays of what it answered.
func (d *dev) keep(data []byte) error {
	dir := filepath.Join(d.project.Root, stateDir, "artifacts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	return os.WriteFile(filepath.Join(dir, hex.EncodeToString(sum[:])+".wasm"), data, 0o644)
}

// notice tells of mistakes here and to those who ask.
func (d *dev) notice(err error, serves bool) {
	if !errors.Is(err, errWrong) {
		_ = d.mistakes("", err, false) // it says that there are some
	}
	if !serves {
		d.serve.server.Notice("nothing serves yet: the project has mistakes; tow dev shows them")
		fmt.Fprintln(d.err, "Nothing serves yet. Save it without mistakes, and it does.")
		return
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if errors.Is(err, errWrong) {
		text = "the sources have mistakes; tow dev shows them"
	}
	d.serve.server.Notice("stale: " + text)
	fmt.Fprintln(d.err, "What was good before serves on.")
}

// welcome says where everything is, and what to try.
func (d *dev) welcome(l net.Listener, m *artifact.Manifest) {
	base := urlOf(l, false)
	with := ""
	if len(m.Operations) > 0 { // else it was not looked at
		with = " with the environment " + d.env
	}
	fmt.Fprintf(d.out, "\n%s serves on %s%s.\n\n", paint(d.outColor, bold, d.project.Name), base, with)
	for i := range m.Views {
		v := &m.Views[i]
		doc, _, _ := strings.Cut(v.Doc, "\n")
		if doc != "" {
			doc = "  " + paint(d.outColor, dim, doc)
		}
		fmt.Fprintf(d.out, "  %s%s\n", base+"/v1/"+d.project.Name+"/"+v.QualifiedName(), doc)
	}
	fmt.Fprintf(d.out, "  %s\n\nTry\n\n  %s\n\nSave a file and it is in place. Ctrl-C ends everything.\n\n", base+"/v1/"+d.project.Name+"/openapi.json", d.example(base, m))
}

// example is a command that asks a view.
func (d *dev) example(base string, m *artifact.Manifest) string {
	v, err := findView(m, d.plan.TryView)
	if err != nil {
		v = &m.Views[0]
	}
	url := base + "/v1/" + d.project.Name + "/" + v.QualifiedName()
	if d.plan.TryInput != "" {
		return "curl -s " + url + " --json @" + d.relative(d.plan.TryInput)
	}
	return "curl -s " + url + " --json '" + string(jsonschema.Example(&m.Schema, v.Input)) + "'"
}

// relative is a path of the project as it is typed from here.
func (d *dev) relative(path string) string {
	path = filepath.Join(d.project.Root, path)
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
			return short
		}
	}
	return path
}
