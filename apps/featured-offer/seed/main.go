// Command seed makes the marketplace that the featured-offer application decides
// about: products, merchants, offers and what became of their prices, in a SQLite
// file or a PostgreSQL database.
//
//	go run ./apps/featured-offer/seed -o market.db
//	go run ./apps/featured-offer/seed -postgres "$MARKET_URL"
//
// The same seed and size give the same rows, on both. The products' ids run from
// p-00001, which most merchants offer, to p-10000; those of offers are of-000001
// and so on, of merchants m-0001 and so on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, stderr *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("seed", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var s size
	file := flags.String("o", "", "the SQLite `file` to write")
	url := flags.String("postgres", "", "the `url` of a PostgreSQL database to write to, postgres://…")
	seed := flags.Uint64("seed", 1, "what the market is made from: the same `number` gives the same market")
	force := flags.Bool("force", false, "write it even where the same market is already")
	flags.IntVar(&s.products, "products", 10_000, "how many products")
	flags.IntVar(&s.merchants, "merchants", 2_000, "how many merchants")
	flags.IntVar(&s.offers, "offers", 150_000, "how many offers")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if err := check(flags.Args(), *file, *url, s); err != nil {
		fmt.Fprintln(stderr, "seed:", err)
		return 2
	}
	p := progressOn(stderr)
	err := write(ctx, newMarket(*seed, s), *file, *url, *force, p)
	p.close()
	if err != nil {
		fmt.Fprintln(stderr, "seed:", err)
		return 1
	}
	return 0
}

func check(rest []string, file, url string, s size) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is not expected; seed -h lists the flags", rest[0])
	case file == "" && url == "":
		return errors.New("nothing to write to; give -o market.db, or -postgres with a url")
	case s.products < 1 || s.products > 99_999 || s.merchants < 1 || s.merchants > 9_999 || s.offers < 0 || s.offers > 999_999:
		return errors.New("a market has 1 to 99999 products, 1 to 9999 merchants and up to 999999 offers")
	}
	return nil
}

func write(ctx context.Context, m *market, file, url string, force bool, p progress) error {
	if file != "" {
		if err := writeSQLite(ctx, m, file, force, p); err != nil {
			return err
		}
	}
	if url != "" {
		return writePostgres(ctx, m, url, force, p)
	}
	return nil
}

// made says from what a market is made.
func (m *market) made() string {
	return fmt.Sprintf("version %d, seed %d, %d products, %d merchants, %d offers", version, m.seed, m.products, len(m.merchants), m.offers)
}
