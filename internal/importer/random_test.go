package importer

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oddNames are what people call things, and what they should not.
var oddNames = []string{"id", "seller_id", "sellerId", "SELLER-ID", "type", "match", "within", "2fa", "_", "", "a b", "größe", "名前", "Order", "Option",
	"None", "Some", "Json", "list", "x\"y", "a{b}", "back\\slash", "new\nline", "\u202e", "value", "test", "given", "HTTPServer", "$ref", "@id", "a/b", "a~b", "💰", "true", "Int"}

var documents = flag.Int("documents", 120, "how many random documents to import")

// maker makes random documents.
type maker struct{ *rand.Rand }

func (r maker) name() string { return oddNames[r.IntN(len(oddNames))] }

func (r maker) pick(of ...string) string { return of[r.IntN(len(of))] }

type object = map[string]any

// schema is a random schema; refs are the components there are.
func (r maker) schema(depth int, refs []string) any {
	if r.IntN(4) == 0 || depth == 0 && r.IntN(2) == 0 {
		return object{"$ref": "#/components/schemas/" + escape(refs[r.IntN(len(refs))])}
	}
	out := object{}
	if r.IntN(4) == 0 {
		out["description"] = r.pick("Words.", "/// {odd} \"words\"\n\n\n\\u{0}", "\u2028*/", strings.Repeat("long words ", 60))
	}
	if r.IntN(6) == 0 {
		out["nullable"] = true
	}
	if r.IntN(6) == 0 {
		out["default"] = []any{nil, 3, -1.5, "x", "a{b}", true, []any{}, object{}, 1e300}[r.IntN(9)]
	}
	kind := r.IntN(12)
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 0:
		out["type"] = r.pick("boolean", "integer", "number", "null", "string")
	case 1:
		out["type"], out["format"] = "string", r.pick("date", "date-time", "duration", "uuid", "int64", "decimal", "byte")
	case 2:
		out["enum"] = r.enum()
		if r.IntN(2) == 0 {
			out["type"] = "string"
		}
	case 3:
		out["type"] = []any{r.pick("string", "integer"), r.pick("null", "number", "string")}
	case 4:
		out["const"] = []any{"x", 1, nil, true, object{}}[r.IntN(5)]
	case 5: // anything
	case 6:
		out["type"], out["items"] = "array", r.schema(depth-1, refs)
	case 7:
		out["type"], out["additionalProperties"] = "object", r.schema(depth-1, refs)
	case 8:
		out["allOf"] = r.several(depth, refs)
	case 9:
		out[r.pick("oneOf", "anyOf")] = r.several(depth, refs)
		if r.IntN(2) == 0 {
			out["discriminator"] = object{"propertyName": r.pick("type", "type", "kind"), "mapping": object{r.name(): "#/components/schemas/" + escape(refs[0])}}
		}
	default:
		props := object{}
		var required []any
		for range r.IntN(6) {
			name := r.name()
			if props[name] = r.schema(depth-1, refs); r.IntN(2) == 0 {
				required = append(required, name)
			}
		}
		if r.IntN(3) == 0 {
			props["type"] = object{"type": "string", "enum": []any{r.name()}}
		}
		out["type"], out["properties"] = "object", props
		if required != nil {
			out["required"] = required
		}
	}
	return out
}

func (r maker) several(depth int, refs []string) []any {
	var out []any
	for range 1 + r.IntN(3) {
		out = append(out, r.schema(depth-1, refs))
	}
	return out
}

func (r maker) enum() []any {
	var out []any
	for range 1 + r.IntN(5) {
		if r.IntN(12) == 0 {
			out = append(out, []any{1, 2.5, nil, true}[r.IntN(4)])
			continue
		}
		out = append(out, r.name()+r.pick("", "-", "_2"))
	}
	return out
}

// document is a random OpenAPI document.
func (r maker) document() []byte {
	schemas := object{}
	var refs []string
	for range 1 + r.IntN(6) {
		refs = append(refs, r.pick("Pet", "pet", "Order", "order_line", "None", "a.b", "X-1", "Api", "Status", "List", "Json"))
	}
	for _, name := range refs {
		schemas[name] = r.schema(3, refs)
	}
	paths := object{}
	for i := range 1 + r.IntN(4) {
		path := fmt.Sprintf("/%s/%d", r.pick("pets", "a b", "x\"y", "orders:search"), i)
		params := []any{}
		if r.IntN(2) == 0 {
			name := r.pick("id", "pet-id", "type", "größe")
			path += "/{" + name + "}"
			if r.IntN(4) > 0 {
				params = append(params, object{"name": name, "in": "path", "required": true, "schema": r.schema(1, refs)})
			}
		}
		for j := range r.IntN(4) {
			params = append(params, object{"name": fmt.Sprint(r.name(), j), "in": r.pick("query", "query", "header", "cookie"), "required": r.IntN(2) == 0, "explode": r.IntN(3) > 0, "description": "What\nit is.", "schema": r.schema(1, refs)})
		}
		op := object{"parameters": params, "summary": r.name(), "responses": object{r.pick("200", "2XX", "default"): object{"description": "", "content": object{
			r.pick("application/json", "application/hal+json; v=1", "*/*"): object{"schema": r.schema(2, refs)}}}}}
		if r.IntN(2) == 0 {
			op["responses"].(object)["404"] = object{"description": "none"}
		}
		if r.IntN(2) == 0 {
			op["operationId"] = r.name()
		}
		if r.IntN(2) == 0 {
			op["tags"] = []any{r.name()}
		}
		if r.IntN(3) == 0 {
			op["x-tow-read"] = true
			op["requestBody"] = object{"required": r.IntN(2) == 0, "content": object{"application/json": object{"schema": r.schema(2, refs)}}}
			paths[path] = object{"post": op}
		} else {
			paths[path] = object{"get": op}
		}
	}
	doc := object{"openapi": r.pick("3.0.3", "3.1.0"), "info": object{"title": r.name(), "version": "1", "description": r.name()}, "paths": paths, "components": object{"schemas": schemas}}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err) // it holds nothing that JSON could not
	}
	return text
}

// TestRandomDocuments imports random documents; what is written always holds.
func TestRandomDocuments(t *testing.T) {
	imported := 0
	n := uint64(*documents)
	for seed := range n {
		text := maker{rand.New(rand.NewPCG(seed, 1))}.document()
		res, err := OpenAPI("random.json", text, Options{All: seed%2 == 0})
		if err != nil {
			if strings.Contains(err.Error(), "mistake of the importer") {
				t.Fatalf("seed %d: %v\n%s", seed, err, text)
			}
			continue
		}
		imported++
		if holds(t, res); t.Failed() {
			t.Fatalf("seed %d: %s", seed, text)
		}
	}
	if imported < int(n)/2 {
		t.Errorf("of %d documents only %d were imported", n, imported)
	}
}

// FuzzOpenAPI imports any text.
func FuzzOpenAPI(f *testing.F) {
	for _, name := range []string{"shop.yaml", "payments.yaml", "weather.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add(maker{rand.New(rand.NewPCG(1, 2))}.document())
	f.Fuzz(func(t *testing.T, text []byte) {
		res, err := OpenAPI("fuzz.yaml", text, Options{All: true})
		if err != nil {
			if strings.Contains(err.Error(), "mistake of the importer") {
				t.Fatal(err)
			}
			return
		}
		holds(t, res)
	})
}

// proto is a random .proto file.
func (r maker) proto() string {
	var b strings.Builder
	version := r.IntN(2)
	if version == 0 {
		b.WriteString("syntax = \"proto3\";\n")
	} else {
		b.WriteString("syntax = \"proto2\";\n")
	}
	b.WriteString("package a.b;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nimport \"google/protobuf/struct.proto\";\nimport \"google/protobuf/any.proto\";\nimport \"google/protobuf/empty.proto\";\n")
	kinds := []string{"double", "float", "int32", "uint64", "sint32", "bool", "string", "bytes", "Mood", "Other", "M0", "M1", "M2", "M0.Inner",
		"google.protobuf.Timestamp", "google.protobuf.BoolValue", "google.protobuf.Value", "google.protobuf.Struct", "google.protobuf.Any", "google.protobuf.Empty"}
	fields := []string{"id", "type", "match", "seller_id", "URL_path", "value", "content", "x1", "_y", "Test", "none", "some", "json", "M0", "mood", "order", "is", "request"}
	b.WriteString("enum Mood { MOOD_UNSPECIFIED = 0; MOOD_GOOD = 1; MOOD_NONE = 2; }\nenum Other { SOME = 0; NONE = 1; M1_ = 2; bad_one = -4; }\n")
	for i := range 3 {
		fmt.Fprintf(&b, "message M%d {\n", i)
		if i == 0 {
			b.WriteString("message Inner { optional M0 back = 1; }\n")
		}
		names := append([]string(nil), fields...)
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		n := r.IntN(11)
		for j := range n {
			label := r.pick("repeated ", "optional ", "optional ")
			if version == 0 && r.IntN(2) == 0 {
				label = ""
			}
			kind := kinds[r.IntN(len(kinds))]
			if r.IntN(8) == 0 {
				label, kind = "", "map<"+r.pick("string", "int32", "bool")+", "+kind+">"
			}
			fmt.Fprintf(&b, "  // About it: {%s} \"\n  %s%s %s = %d;\n", names[j], label, kind, names[j], j+1)
		}
		if r.IntN(2) == 0 && n < 14 {
			fmt.Fprintf(&b, "  oneof %s { %s %s = 21; %s %s = 22; }\n", r.pick("payment", "choice", "kind"), kinds[r.IntN(len(kinds))], names[n], kinds[r.IntN(len(kinds))], names[n+1])
		}
		b.WriteString("}\n")
	}
	b.WriteString("service Order { rpc GetIt(M0) returns (M1); rpc match(M1) returns (M2); rpc SetIt(M2) returns (M0); rpc Watch(M0) returns (stream M1); }\nservice M2s { rpc Empty(google.protobuf.Empty) returns (google.protobuf.Timestamp); }\n")
	return b.String()
}

func TestRandomProtos(t *testing.T) {
	dir := t.TempDir()
	imported := 0
	n := uint64(*documents)
	for seed := range n {
		text := maker{rand.New(rand.NewPCG(seed, 3))}.proto()
		path := filepath.Join(dir, "random.proto")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		res, err := Proto(path, Options{All: seed%2 == 0})
		if err != nil {
			if strings.Contains(err.Error(), "mistake of the importer") {
				t.Fatalf("seed %d: %v\n%s", seed, err, text)
			}
			continue
		}
		imported++
		if holds(t, res); t.Failed() {
			t.Fatalf("seed %d: %s", seed, text)
		}
	}
	if imported < int(n)/2 {
		t.Errorf("of %d files only %d were imported", n, imported)
	}
}
