package jsonschema_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write the goldens anew")

func build(t *testing.T, a *txtar.Archive) *artifact.Manifest {
	t.Helper()
	text, _ := a.Get("in.tow")
	res, err := compile.Build(fstest.MapFS{"in.tow": &fstest.MapFile{Data: []byte(text)}}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Diags.All {
		t.Log(d)
	}
	if res.Manifest == nil {
		t.Fatal("the program has mistakes")
	}
	return res.Manifest
}

// TestOf compares the schemas and examples of the views in testdata/types.txtar.
func TestOf(t *testing.T) {
	path := filepath.Join("testdata", "types.txtar")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(string(data))
	m := build(t, a)
	for _, v := range m.Views {
		for i, id := range []abi.TypeID{v.Input, v.Result} {
			name := v.Name + []string{".input", ".answer"}[i]
			text, err := json.MarshalIndent(jsonschema.Of(&m.Schema, id), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			compare(t, a, name+".json", string(text)+"\n")
			compare(t, a, name+".example.json", string(jsonschema.Example(&m.Schema, id))+"\n")
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(a.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, a *txtar.Archive, name, got string) {
	t.Helper()
	want, ok := a.Get(name)
	if *update {
		a.Set(name, got)
		return
	}
	if !ok || got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// TestExamplesDecode reads the examples of all types with the plans that serve
// requests.
func TestExamplesDecode(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "types.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	m := build(t, txtar.Parse(string(data)))
	plans, err := codec.New(&m.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for i, typ := range m.Schema.Types {
		if typ.Kind == abi.Variant && len(typ.Ctors) > 0 && typ.Ctors[0].JSON == "" || strings.HasPrefix(typ.Name, "Node<") {
			continue // the inside of maps and sets has no JSON
		}
		id := abi.TypeID(i)
		example := jsonschema.Example(&m.Schema, id)
		mem := make([]byte, int(m.HeapBase)+1<<16)
		copy(mem[m.HeapBase:], example)
		heap := m.HeapBase + codec.Room(len(example))
		var d codec.Decoder
		d.Strict = true
		if _, _, err := d.Decode(plans.Plan(id), mem, codec.Body{Addr: m.HeapBase, Len: uint32(len(example))}, heap, uint32(len(mem)-64)); err != nil {
			t.Errorf("%s: %s: %v", typ.Name, example, err)
		}
	}
}
