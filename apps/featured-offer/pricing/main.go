// Command pricing serves the lowest prices that other markets ask, as if it knew
// them: a service for the featured-offer application to call.
//
//	go run ./apps/featured-offer/pricing -listen 127.0.0.1:7401 -db market.db
//
//	GET  /lowest/p-00001                        {"amount":"19.90","currency":"EUR"}, or 404
//	POST /lowest {"products":["p-00001","x"]}   {"prices":{"p-00001":{…},"x":null}}
//	GET  /healthz                               ok
//
// A product's price follows from its id, and with -db from what the market asks
// for it as well. Answers take their time as those of a real service do: half of
// them less than 4 ms, and a settable share more than 10 ms.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "pricing:", err)
		os.Exit(1)
	}
}

// drain is how long answers that are under way may take when the server stops.
const drain = 5 * time.Second

// run serves until ctx ends. The first line on stdout is the server's URL.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("pricing", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:0", "the `address` to serve on; port 0 is any that is free")
	db := flags.String("db", "", "a market's SQLite `file`, for prices near those in it")
	seed := flags.Uint64("seed", 1, "what the answers' times follow from, a `number`")
	late := flags.Float64("late", 0.02, "the `share` of the answers that take more than 10 ms, below 0.5")
	untilEOF := flags.Bool("until-eof", false, "stop when the standard input ends, as it does with the process at its other end")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not expected; pricing -h lists the flags", flags.Arg(0))
	}
	if *late < 0 || *late >= 0.5 {
		return fmt.Errorf("-late is %g; expected a share from 0 to less than 0.5", *late)
	}
	s := &service{delays: newDelays(*seed, *late)}
	if *db != "" {
		var err error
		if s.market, err = readMarket(ctx, *db); err != nil {
			return fmt.Errorf("%s: %w; make it with go run ./apps/featured-offer/seed -o %s", *db, err, *db)
		}
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *untilEOF {
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		go func() { // ends with the input, or with the process
			_, _ = io.Copy(io.Discard, stdin) // an error ends the input, too
			end()
		}()
	}
	fmt.Fprintf(stdout, "http://%s\n", l.Addr())
	return serve(ctx, l, s.handler())
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }() // until Shutdown or Close
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	wait, stop := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer stop()
	if err := server.Shutdown(wait); err != nil {
		return errors.Join(fmt.Errorf("answers took longer than %s: %w", drain, err), server.Close())
	}
	return nil
}
