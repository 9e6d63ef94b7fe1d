package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/sqlquery"
	"towpath.dev/internal/settings"
	"towpath.dev/internal/testkit/postgres"
)

// program is the application's manifest.
func program(t testing.TB) *artifact.Manifest {
	t.Helper()
	res, err := compile.Build(os.DirFS(".."), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.All[0])
	}
	return res.Manifest
}

// environment reads a file of env/, in which ${env:NAME} stands for a variable.
func environment(t testing.TB, name string, variables map[string]string) *settings.File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../env", name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	f := settings.Parse(name+".toml", text)
	f.Expand = func(text string) (string, error) {
		return os.Expand(text, func(v string) string { return variables[strings.TrimPrefix(v, "env:")] }), nil
	}
	return f
}

// bound binds the market's operations by the statements of env/dev.toml to a
// source, and probes it.
func bound(t testing.TB, src *sqlquery.Source, m *artifact.Manifest) map[string]source.Caller {
	t.Helper()
	f := environment(t, "dev", nil)
	services := f.Root.Table("services")
	callers := map[string]source.Caller{}
	for i := range m.Operations {
		op := &m.Operations[i]
		service := services.Table(op.Service)
		if service.Text("source", "") != "market" {
			continue
		}
		callers[op.Name] = src.Bind(source.Operation{Meta: op, Schema: &m.Schema, Settings: service.Table(op.Name)})
	}
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	if err := src.Probe(t.Context(), slices.Collect(maps.Values(callers))); err != nil {
		t.Fatal(err)
	}
	return callers
}

// open opens the source market of an environment.
func open(t testing.TB, env, dir string, variables map[string]string) *sqlquery.Source {
	t.Helper()
	f := environment(t, env, variables)
	table := f.Root.Table("sources").Table("market")
	src := sqlquery.Open(table, dir)
	table.Done()
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

// batches are arguments for each operation: things that are there, and one that
// is not.
func batches(s size) map[string][]string {
	all := map[string][]string{"offers": {`["none"]`}, "profile": {`["none"]`}, "transit": {`["none","Japan"]`}}
	for i := range min(s.products, 300) {
		all["offers"] = append(all["offers"], fmt.Sprintf("[%q]", productID(i)))
	}
	for i := range min(s.merchants, 200) {
		all["profile"] = append(all["profile"], fmt.Sprintf("[%q]", merchantID(i)))
	}
	for i := range min(s.offers, 200) {
		all["transit"] = append(all["transit"], fmt.Sprintf("[%q,%q]", offerID(i*7%s.offers), regions[i%3].name))
	}
	return all
}

func ask(ctx context.Context, c source.Caller, args []string) []string {
	b := &source.Batch{}
	for _, a := range args {
		b.Args = append(b.Args, []byte(a))
	}
	out := make([]string, len(args))
	c.Call(ctx, b, func(i int, answer []byte, err error) {
		if out[i] = string(answer); err != nil {
			out[i] = "error: " + err.Error()
		}
	})
	return out
}

// TestStatementsAnswerAlike asks the same of both databases, and expects the same
// bytes.
func TestStatementsAnswerAlike(t *testing.T) {
	server := postgres.Start(t)
	dir := t.TempDir()
	market := newMarket(1, small)
	if err := writeSQLite(t.Context(), market, filepath.Join(dir, "market.db"), false, quiet{}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time in the place of the first
		if err := writePostgres(t.Context(), market, server.URL(), true, quiet{}); err != nil {
			t.Fatal(err)
		}
	}
	m := program(t)
	lite := bound(t, open(t, "dev", dir, nil), m)
	pg := bound(t, open(t, "postgres", "", map[string]string{"MARKET_URL": server.URL()}), m)
	if len(lite) != 3 {
		t.Fatalf("the market has %d operations; expected 3", len(lite))
	}
	for op, args := range batches(small) {
		a, b := ask(t.Context(), lite[op], args), ask(t.Context(), pg[op], args)
		for i := range args {
			if a[i] != b[i] {
				t.Errorf("%s%s is\n%s on SQLite\n%s on PostgreSQL", op, args[i], a[i], b[i])
			}
			if none := strings.HasPrefix(a[i], "error:") || a[i] == "[]"; none != (i == 0) {
				t.Errorf("%s%s is %s", op, args[i], a[i])
			}
		}
	}
	if i := slices.IndexFunc(ask(t.Context(), lite["offers"], batches(small)["offers"]), func(a string) bool {
		return strings.Contains(a, `"condition":{"type":"Used","grade":`) && strings.Contains(a, `"currency":"JPY"`)
	}); i < 0 {
		t.Error("no product has an offer of something used, and one in yen")
	}
}

// TestPostgresKeepsTheSameMarket checks that what is there is not written anew, and
// that a failure leaves it.
func TestPostgresKeepsTheSameMarket(t *testing.T) {
	server := postgres.Start(t)
	var notes bytes.Buffer
	for range 2 {
		if err := writePostgres(t.Context(), newMarket(1, small), server.URL(), false, &lines{w: &notes}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasSuffix(notes.String(), "the database has it already\n") || strings.Count(notes.String(), "offers") != 1 {
		t.Errorf("it says\n%s", &notes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := &lines{w: &cancelling{cancel}}
	if err := writePostgres(ctx, newMarket(2, small), server.URL(), false, stop); err == nil {
		t.Error("it is written although it was cancelled")
	}
	server.Exec(t, "do $$ begin assert (select value like '%seed 1%' from about); assert (select count(*) from current_offers) = 3000; end $$")
}

// cancelling cancels at the first line written.
type cancelling struct{ cancel context.CancelFunc }

func (c *cancelling) Write(text []byte) (int, error) {
	c.cancel()
	return len(text), nil
}

// BenchmarkStatements asks batches of the size of the program's of a full market.
func BenchmarkStatements(b *testing.B) {
	full := size{products: 10_000, merchants: 2_000, offers: 150_000}
	dir := b.TempDir()
	market := newMarket(1, full)
	if err := writeSQLite(b.Context(), market, filepath.Join(dir, "market.db"), false, quiet{}); err != nil {
		b.Fatal(err)
	}
	m := program(b)
	run := func(b *testing.B, callers map[string]source.Caller) {
		for op, args := range map[string][]string{
			"offers": {`["p-00001"]`}, "profile": batches(full)["profile"][1:], "transit": batches(full)["transit"][1:51],
		} {
			b.Run(op, func(b *testing.B) {
				batch := &source.Batch{}
				for _, a := range args {
					batch.Args = append(batch.Args, []byte(a))
				}
				b.ReportAllocs()
				for b.Loop() {
					callers[op].Call(b.Context(), batch, func(_ int, _ []byte, err error) {
						if err != nil {
							b.Error(err)
						}
					})
				}
			})
		}
	}
	b.Run("sqlite", func(b *testing.B) { run(b, bound(b, open(b, "dev", dir, nil), m)) })
	b.Run("postgres", func(b *testing.B) {
		server := postgres.Start(b)
		if err := writePostgres(b.Context(), market, server.URL(), false, quiet{}); err != nil {
			b.Fatal(err)
		}
		run(b, bound(b, open(b, "postgres", "", map[string]string{"MARKET_URL": server.URL()}), m))
	})
}
