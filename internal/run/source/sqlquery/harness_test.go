package sqlquery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ncruces/go-sqlite3"
	"go.uber.org/goleak"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
	"towpath.dev/internal/testkit/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is the manifest of testdata/shop.tow.
var shop = sync.OnceValue(func() *artifact.Manifest {
	text, err := os.ReadFile("testdata/shop.tow")
	if err != nil {
		panic(err)
	}
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: text}}, compile.Options{})
	if err != nil {
		panic(err)
	}
	if res.Diags.HasErrors() {
		panic(res.Diags.All[0].String())
	}
	return res.Manifest
})

// meta is an operation of shop.tow.
func meta(t testing.TB, name string) *artifact.Operation {
	t.Helper()
	ops := shop().Operations
	i := slices.IndexFunc(ops, func(o artifact.Operation) bool { return o.Name == name })
	if i < 0 {
		t.Fatalf("shop.tow has no operation %s", name)
	}
	return &ops[i]
}

func operationOf(t testing.TB, name string) source.Operation {
	return source.Operation{Meta: meta(t, name), Schema: &shop().Schema}
}

// canonical is an answer as the engine would take it, written anew; an answer that
// it would refuse fails the test.
func canonical(t testing.TB, typ abi.TypeID, answer string) string {
	t.Helper()
	plans, err := codec.New(&shop().Schema)
	if err != nil {
		t.Fatal(err)
	}
	mem := make([]byte, 1<<20)
	const at = 1 << 16
	for _, typ := range shop().Schema.Types { // what a module's static data holds
		for tag, c := range typ.Ctors {
			mem[c.Static] = byte(tag)
		}
	}
	n := copy(mem[at:], answer)
	var d codec.Decoder
	d.Strict = true
	value, _, err := d.Decode(plans.Plan(typ), mem, codec.Body{Addr: at, Len: uint32(n)}, at+codec.Room(n), uint32(len(mem)-64))
	if err != nil {
		t.Errorf("%s: %v", answer, err)
		return answer
	}
	out, err := plans.Plan(typ).Append(nil, mem, value)
	if err != nil {
		t.Error(err)
	}
	return string(out)
}

// world is a database with the tables of the tests.
type world struct {
	name     string
	settings string // of the source
	dir      string
}

func sqliteWorld(t testing.TB) *world {
	t.Helper()
	w := &world{name: "sqlite", dir: t.TempDir()}
	w.settings = "type = \"sqlite\"\nfile = \"shop.db\"\n"
	db, err := sqlite3.Open(filepath.Join(w.dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exec(readFile(t, "testdata/sqlite.sql")); err != nil {
		t.Fatal(err)
	}
	return w
}

func postgresWorld(t testing.TB) (*world, *postgres.Server) {
	t.Helper()
	server := postgres.Start(t)
	server.Exec(t, readFile(t, "testdata/postgres.sql"))
	return &world{name: "postgres", settings: fmt.Sprintf("type = \"postgres\"\nurl = %q\n", server.URL())}, server
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// open opens the source of a world; mistakes fail the test.
func (w *world) open(t testing.TB, more string) *Source {
	t.Helper()
	f := settings.Parse("env/test.toml", []byte("[sources.db]\n"+w.settings+more))
	table := f.Root.Table("sources").Table("db")
	s := Open(table, w.dir)
	table.Done()
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// bind binds an operation of shop.tow. The error is that of its settings.
func bind(t testing.TB, s *Source, op, sql string) (source.Caller, error) {
	t.Helper()
	f := settings.Parse("env/test.toml", fmt.Appendf(nil, "[services.Shop.%s]\nsql = %q\n", op, sql))
	table := f.Root.Table("services").Table("Shop").Table(op)
	c := s.Bind(source.Operation{Meta: meta(t, op), Schema: &shop().Schema, Settings: table})
	table.Done()
	return c, f.Err()
}

func mustBind(t testing.TB, s *Source, op, sql string) source.Caller {
	t.Helper()
	c, err := bind(t, s, op, sql)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// result is what came of a call.
type result struct {
	answer string
	err    error
}

// call asks a batch, and sees to it that each call is done once.
func call(ctx context.Context, t testing.TB, c source.Caller, args ...string) []result {
	t.Helper()
	b := &source.Batch{}
	for _, a := range args {
		b.Args = append(b.Args, []byte(a))
	}
	results := make([]result, len(args))
	seen := make([]bool, len(args))
	c.Call(ctx, b, func(i int, answer []byte, err error) {
		if seen[i] {
			t.Errorf("call %d is done twice", i)
		}
		seen[i] = true
		results[i] = result{string(answer), err}
		if cap(answer) > len(answer) {
			t.Errorf("call %d: appending to the answer would write behind it", i)
		}
	})
	if i := slices.Index(seen, false); i >= 0 {
		t.Errorf("call %d is not done", i)
	}
	return results
}

// text is a result as the tests write it.
func (r result) text(t testing.TB, typ abi.TypeID) string {
	t.Helper()
	if r.err != nil {
		var e *source.Error
		if !errors.As(r.err, &e) {
			t.Errorf("%v is no *source.Error", r.err)
		}
		return r.err.Error()
	}
	return canonical(t, typ, r.answer)
}
