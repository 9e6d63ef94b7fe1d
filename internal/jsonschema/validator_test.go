package jsonschema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	public "github.com/santhosh-tekuri/jsonschema/v6"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/testkit/txtar"
)

// TestPublicValidator has another's validator compile the schemas, accept the
// examples, and refuse what the types do.
func TestPublicValidator(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "types.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	m := build(t, txtar.Parse(string(data)))
	for _, v := range m.Views {
		for _, id := range []abi.TypeID{v.Input, v.Result} {
			schema := compiled(t, jsonschema.Of(&m.Schema, id))
			if err := schema.Validate(value(t, jsonschema.Example(&m.Schema, id))); err != nil {
				t.Errorf("%s: its own example: %v", v.Name, err)
			}
		}
		if len(m.Schema.Types[v.Input].Fields) > 0 {
			if err := compiled(t, jsonschema.Of(&m.Schema, v.Input)).Validate(value(t, []byte(`[1]`))); err == nil {
				t.Errorf("%s: an array passes for its input", v.Name)
			}
		}
	}
}

func compiled(t *testing.T, s jsonschema.Schema) *public.Schema {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c := public.NewCompiler()
	if err := c.AddResource("tow.json", value(t, text)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("tow.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return schema
}

func value(t *testing.T, text []byte) any {
	t.Helper()
	v, err := public.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
