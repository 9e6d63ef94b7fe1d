// tow serve: programs answer HTTP.

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/serve"
)

func serveCommand(u *ui) *cobra.Command {
	s := &serving{ui: u}
	c := &cobra.Command{
		Use:   "serve PROGRAM ...",
		Short: "Answer HTTP with programs",
		Long: `Serve programs: artifacts that "tow build" made, or projects' folders, which are
compiled first. NAME=PROGRAM serves one under another name.

  POST /v1/PROGRAM/VIEW            a JSON object with a member for each parameter
  GET  /v1/PROGRAM/VIEW?a=1        where all parameters are scalars or lists of them
  GET  /v1/PROGRAM/openapi.json    what there is, as OpenAPI 3.1
  GET  /healthz /readyz /metrics

Calls are answered as the environment says, the file env/NAME.toml beside the
program. Sent the signal HUP, it reads all programs and environments again, and
requests go over to them without one being lost; what is wrong with them is
reported and the old ones serve on. INT and TERM drain: /readyz says no, requests
under way end.

A listener that is not loopback needs TLS and tokens; "tow token" makes them.

On a machine where "tow init" has made a cluster, or with --data, the control plane
runs in the same process: a member of etcd and the control API. --role control runs
it alone; --role responder runs programs alone, and with --join is a node of the
cluster. docs/operations.md tells more.`,
		Example: "  tow serve --env prod dist/shop.tow.wasm\n" +
			"  tow serve --env staging --listen :7443 --tls-cert cert.pem --tls-key key.pem --tokens tokens.toml shop pricing\n" +
			"  tow serve --role control --control-listen 10.0.0.1:7071 --peer-listen 10.0.0.1:7072\n" +
			"  tow serve --role responder --join https://10.0.0.1:7071 --join-token $TOKEN dist/shop.tow.wasm",
		Args: func(_ *cobra.Command, args []string) error { return s.args(args) },
		RunE: func(c *cobra.Command, args []string) error { return s.start(c, args) },
	}
	f := c.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:7070", "listen on `ADDRESS`")
	f.StringVar(&s.env, "env", "", "answer calls as the environment `NAME` says")
	f.StringVar(&s.cert, "tls-cert", "", "the certificate `FILE`, in PEM")
	f.StringVar(&s.key, "tls-key", "", "the key `FILE`, in PEM")
	f.StringVar(&s.tokens, "tokens", "", "let in who has a token of the `FILE`")
	f.StringVar(&s.records, "records", "", "keep records of requests in the folder `DIR`")
	f.Float64Var(&s.sample, "sample", 0.01, "keep the `SHARE` of the requests, from 0 to 1")
	f.StringVar(&s.otlp, "otlp", "", "send spans to the OTLP/HTTP collector at `URL`")
	f.DurationVar(&s.grace, "grace", 5*time.Second, "the `TIME` from saying \"not ready\" to refusing connections, and as much again to finish")
	f.BoolVar(&s.logJSON, "log-json", false, "log lines of JSON")
	s.roleFlags(f)
	return c
}

// serving is one tow serve.
type serving struct {
	*ui
	listen, env, cert, key, tokens, records, otlp string
	sample                                        float64
	grace                                         time.Duration
	logJSON                                       bool
	at                                            string // the URL that it listens at, once it does
	roles
}

func (s *serving) run(ctx context.Context, programs []string) error {
	return s.answer(ctx, func(ctx context.Context, r *responder) (func(context.Context), error) {
		if err := s.put(ctx, r, programs); err != nil {
			return nil, err
		}
		return func(ctx context.Context) { s.reload(ctx, r, programs) }, nil
	})
}

// answer runs a server. begin puts programs in place before it listens, and gives what goes
// on while it does.
func (s *serving) answer(ctx context.Context, begin func(context.Context, *responder) (func(context.Context), error)) (err error) {
	if !(s.sample >= 0 && s.sample <= 1) {
		return usage{fmt.Errorf("--sample %v: expected a share, from 0 to 1", s.sample), "tow serve"}
	}
	secure, tokens, err := s.trust()
	if err != nil {
		return err
	}
	opts := serve.Options{Tokens: tokens, Log: s.logger()}
	if s.records != "" {
		ring, err := record.Open(s.records, record.Options{Sample: s.sample})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ring.Close(context.WithoutCancel(ctx))) }()
		opts.Records = ring
	}
	stopTracing, err := s.trace(ctx, &opts)
	if err != nil {
		return err
	}
	defer stopTracing()
	server := serve.New(opts)
	defer server.Close(context.WithoutCancel(ctx))
	meanwhile, err := begin(ctx, newResponder(server))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return cannotListen(s.listen, err)
	}
	s.at = urlOf(l, secure != nil)
	fmt.Fprintf(s.err, "Serving on %s\n", s.at)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	running.Go(func() { meanwhile(ctx) })
	return server.Serve(ctx, l, serve.Limits{}, secure, s.grace)
}

// put serves the programs. Those that are there already are replaced.
func (s *serving) put(ctx context.Context, r *responder, programs []string) (err error) {
	type ready struct {
		name    string
		release *serve.Release
	}
	var all []ready
	defer func() {
		for _, p := range all { // that will not serve, as one after it has mistakes
			err = errors.Join(err, discard(ctx, p.release))
		}
	}()
	for _, arg := range programs {
		p, err := s.open(arg)
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.name == p.name {
				return usage{fmt.Errorf("two programs would be served as %s; give one another name: NAME=%s", p.name, arg), "tow serve"}
			}
		}
		release, err := r.load(ctx, p.data, p.root, s.env)
		if err != nil {
			return s.mistakes(arg, err, false)
		}
		all = append(all, ready{p.name, release})
	}
	for _, p := range all {
		r.server.Put(p.name, p.release)
	}
	all = nil
	return nil
}

// reload puts the programs in place again at each HUP.
func (s *serving) reload(ctx context.Context, r *responder, programs []string) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		if err := s.put(ctx, r, programs); err != nil {
			if !errors.Is(err, errWrong) {
				s.fail(err)
			}
			fmt.Fprintln(s.err, "What was served before serves on.")
			continue
		}
		fmt.Fprintln(s.err, "All programs were read again and serve.")
	}
}

// trust is the TLS configuration and the tokens. Without both only loopback may be
// listened on.
func (s *serving) trust() (*tls.Config, *serve.Tokens, error) {
	var secure *tls.Config
	switch {
	case s.cert != "" && s.key != "":
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, nil, fmt.Errorf("the certificate and its key: %w", err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	case s.cert != "" || s.key != "":
		return nil, nil, usage{errors.New("--tls-cert and --tls-key go together"), "tow serve"}
	}
	var tokens *serve.Tokens
	if s.tokens != "" {
		text, err := os.ReadFile(s.tokens)
		if err != nil {
			return nil, nil, err
		}
		if tokens, err = serve.ReadTokens(filepath.Base(s.tokens), text); err != nil {
			return nil, nil, err
		}
	}
	loopback, err := isLoopback(s.listen)
	if err != nil {
		return nil, nil, usage{err, "tow serve"}
	}
	if loopback || secure != nil && tokens != nil {
		return secure, tokens, nil
	}
	return nil, nil, usage{fmt.Errorf("%s can be reached from other machines: name a certificate with --tls-cert and --tls-key, and who may ask with --tokens (\"tow token NAME\" makes one)", s.listen), "tow serve"}
}

// isLoopback reports whether nobody but this machine reaches an address.
func isLoopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, fmt.Errorf("--listen %s is no address: expected HOST:PORT", address)
	}
	return isLoopbackHost(host), nil
}

func isLoopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// cannotListen says why an address cannot be listened on.
func cannotListen(address string, err error) error {
	return fmt.Errorf("cannot listen on %s: %w; name another with --listen", address, innermost(err))
}

// innermost is what was wrong with a connection, without the addresses and calls
// that package net puts around it.
func innermost(err error) error {
	var address *net.AddrError
	if errors.As(err, &address) {
		return errors.New(address.Err)
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func (s *serving) logger() *slog.Logger {
	if s.logJSON {
		return slog.New(slog.NewJSONHandler(s.err, nil))
	}
	return slog.New(slog.NewTextHandler(s.err, nil))
}

func urlOf(l net.Listener, secure bool) string {
	if secure {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}
