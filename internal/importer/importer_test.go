package importer

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/grpcproto"
	"towpath.dev/internal/run/source/httpjson"
	"towpath.dev/internal/settings"
)

var update = flag.Bool("update", false, "write the expected outputs anew")

// TestDocuments imports documents as they are found in the world; beside each
// stands what is expected of it.
func TestDocuments(t *testing.T) {
	for _, name := range []string{"shop.yaml", "payments.yaml", "weather.json", "pricing.proto"} {
		t.Run(name, func(t *testing.T) {
			res := load(t, filepath.Join("testdata", name), Options{Path: name})
			var out bytes.Buffer
			fmt.Fprintf(&out, "%s\n# ---- environment\n%s\n# ---- warnings\n", res.Tow, res.Env)
			for _, w := range res.Warnings {
				fmt.Fprintf(&out, "# %s\n", w)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("the output is not that of %s (write it anew with -update):\n%s", golden, out.Bytes())
			}
			again := load(t, filepath.Join("testdata", name), Options{Path: name})
			if !bytes.Equal(res.Tow, again.Tow) || !bytes.Equal(res.Env, again.Env) {
				t.Error("the same document gave another text")
			}
			for _, opts := range []Options{{All: true}, {All: true, Service: "Everything"}} {
				opts.Path = name
				holds(t, load(t, filepath.Join("testdata", name), opts))
			}
			holds(t, res)
		})
	}
}

func load(t *testing.T, path string, opts Options) *Result {
	t.Helper()
	if strings.HasSuffix(path, ".proto") {
		res, err := Proto(path, opts)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	res, err := OpenAPI(path, text, opts)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// holds checks what is promised of every import: the module is in the one style,
// it compiles to an artifact when all that it declares is asked, and the
// environment binds all operations without a mistake.
func holds(t testing.TB, res *Result) {
	t.Helper()
	formatted, problems := format.Source(span.NewFile("a.tow", res.Tow))
	if problems.HasErrors() || !bytes.Equal(formatted, res.Tow) {
		t.Fatalf("not in the one style:\n%s", res.Tow)
	}
	checked, err := compile.Check(fstest.MapFS{"a.tow": {Data: res.Tow}}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(checked.Diags.All) > 0 {
		t.Fatalf("%s: %s\n%s", checked.Diags.All[0].At, checked.Diags.All[0].Message, res.Tow)
	}
	built, err := compile.Build(fstest.MapFS{"a.tow": {Data: asked(checked, res.Tow)}}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if built.Diags.HasErrors() {
		t.Fatalf("%s: %s\n%s", built.Diags.All[0].At, built.Diags.All[0].Message, res.Tow)
	}
	if len(built.Manifest.Operations) != res.Operations {
		t.Errorf("%d operations, want %d", len(built.Manifest.Operations), res.Operations)
	}
	bindAll(t, res, built)
}

// asked adds a view for each operation, so that the compiler keeps it.
func asked(res *compile.Result, text []byte) []byte {
	var b bytes.Buffer
	b.Write(text)
	for _, m := range res.Program.Modules {
		for _, s := range m.Services {
			for i, op := range s.Ops {
				var params, args []string
				for _, p := range op.Params {
					params = append(params, fmt.Sprintf("%s: %s", p.Name, p.Type))
					args = append(args, p.Name)
				}
				fmt.Fprintf(&b, "\nview ask%s%d(%s) -> %s { %s.%s(%s) }\n", s.Name, i, strings.Join(params, ", "), op.Result, s.Name, op.Name, strings.Join(args, ", "))
			}
		}
	}
	return b.Bytes()
}

// bindAll binds each operation as the environment says.
func bindAll(t testing.TB, res *Result, built *compile.Result) {
	t.Helper()
	file := settings.Parse("env.toml", res.Env)
	sources := file.Root.Table("sources")
	if len(sources.Keys()) != 1 {
		t.Fatalf("no source: %v\n%s", file.Err(), res.Env)
	}
	name := sources.Keys()[0]
	table := sources.Table(name)
	var src source.Source
	switch table.Text("type", "") {
	case "http":
		src = httpjson.Open(table, httpjson.Options{})
	case "grpc":
		src = grpcproto.Open(table, "testdata", grpcproto.Options{})
	}
	table.Done()
	services := file.Root.Table("services")
	for i := range built.Manifest.Operations {
		op := &built.Manifest.Operations[i]
		s := services.Table(op.Service)
		if s.Text("source", "") != name {
			t.Errorf("the service %s has no source", op.Service)
		}
		how := s.Table(op.Name)
		if how == nil {
			t.Errorf("%s.%s is not bound", op.Service, op.Name)
			continue
		}
		src.Bind(source.Operation{Meta: op, Schema: &built.Manifest.Schema, Settings: how})
		how.Done()
	}
	if err := file.Err(); err != nil {
		t.Errorf("%v\n%s\n%s", err, res.Env, res.Tow)
	}
	src.Close()
}
