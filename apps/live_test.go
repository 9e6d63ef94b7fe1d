package apps

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/testkit/postgres"
)

// TestFeaturedOfferOnBothDatabases makes the market in SQLite and in PostgreSQL and
// asks the application about some products, through the environments that it
// ships: the answers are the same, byte for byte.
func TestFeaturedOfferOnBothDatabases(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a market of 150,000 offers, twice")
	}
	server := postgres.Start(t)
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("featured-offer")); err != nil {
		t.Fatal(err)
	}
	seed := exec.Command("go", "run", "./featured-offer/seed", "-force", "-o", filepath.Join(root, "market.db"), "-postgres", server.URL())
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("MARKET_URL", server.URL())
	t.Setenv("PRICING_PORT", "1") // nobody is asked there
	prices := "product,price.amount,price.currency\n"
	for i := 1; i <= 10_000; i += 97 {
		prices += fmt.Sprintf("p-%05d,%d.49,EUR\n", i, 5+i%40)
	}
	for name, text := range map[string]string{
		"prices.csv": prices,
		// What others ask comes from a file: a server that is now and then late would
		// make answers that differ.
		"env/a.toml": "extends = \"dev\"\n" + fromFile,
		"env/b.toml": "extends = \"postgres\"\n" + fromFile,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	res, err := compile.Build(os.DirFS(root), compile.Options{Name: "featured-offer"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.All[0])
	}
	a, b := answersOf(t, res.Artifact, root, "a"), answersOf(t, res.Artifact, root, "b")
	winners := 0
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Errorf("product %d:\nSQLite     %s\nPostgreSQL %s", i, a[i], b[i])
		}
		if strings.Contains(string(a[i]), `"type":"Winner"`) {
			winners++
		}
	}
	if winners < len(a)/4 {
		t.Errorf("only %d of %d products have a winner", winners, len(a))
	}
}

const fromFile = `
[sources.others]
type = "file"
path = "prices.csv"

[services.Pricing]
source = "others"

[services.Pricing.lowest]
key = "product"
answer = "price"
`

// noTime stands still, so far ahead that no deadline ever comes: what may differ are
// the answers, not who was late.
type noTime struct{}

func (noTime) Now() time.Time { return time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC) }

func (noTime) After(time.Duration) (<-chan time.Time, func() bool) {
	return nil, func() bool { return true }
}

// answersOf asks for the decision about some products in an environment.
func answersOf(t *testing.T, artifact []byte, root, env string) [][]byte {
	t.Helper()
	p, err := engine.Load(t.Context(), artifact, engine.Options{Clock: noTime{}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	e, err := bind.Read(root, env)
	if err != nil {
		t.Fatal(err)
	}
	bindings, err := e.Bind(p.Manifest(), bind.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer bindings.Close()
	if err := bindings.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := fetch.New(p.Manifest(), bindings.Bound, fetch.Options{})
	defer f.Wait()
	v, err := p.View("featured.featured")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for i := 1; i <= 10_000; i += 97 {
		input := fmt.Sprintf(`{"product":{"id":"p-%05d","title":"x"},"shopper":{"id":"s","region":"Europe"}}`, i)
		answer, err := v.Do(t.Context(), nil, engine.Request{Input: []byte(input), Source: f.Session(source.About{})})
		if err != nil {
			answer = []byte(err.Error())
		}
		out = append(out, answer)
	}
	return out
}
