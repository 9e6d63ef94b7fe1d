package protofile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes files below a folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := write(t, map[string]string{
		// Both import the types, under the name that they have below protos.
		"protos/shop/v1/types.proto":   "syntax = \"proto3\";\npackage shop.v1;\nmessage Price { int64 cents = 1; }\n",
		"protos/shop/v1/more.proto":    "syntax = \"proto3\";\npackage shop.v1;\nimport \"shop/v1/types.proto\";\nmessage More { Price price = 1; }\n",
		"protos/shop/v1/service.proto": "syntax = \"proto3\";\npackage shop.v1;\nimport \"shop/v1/more.proto\";\nimport \"shop/v1/types.proto\";\n// Asked.\nservice S { rpc A(More) returns (Price); }\n",
		"alone/a.proto":                "syntax = \"proto3\";\nimport \"b.proto\";\nmessage A { B b = 1; }\n",
		"alone/b.proto":                "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage B { google.protobuf.Timestamp at = 1; }\n",
		"bad.proto":                    "syntax = \"proto3\";\nmessage A { X x = 1;\n  Y y = 2; }\n",
		"far.proto":                    "syntax = \"proto3\";\nimport \"nowhere.proto\";\n",
	})
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

	file, err := Load(at("protos/shop/v1/service.proto"), Options{Include: []string{at("protos")}, Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	if file.Path() != "shop/v1/service.proto" || file.Services().Len() != 1 {
		t.Errorf("got %s with %d services", file.Path(), file.Services().Len())
	}
	if got := file.SourceLocations().ByDescriptor(file.Services().Get(0)).LeadingComments; got != " Asked.\n" {
		t.Errorf("the comment is %q", got)
	}
	if file, err = Load(at("alone/a.proto"), Options{}); err != nil || file.Path() != "a.proto" {
		t.Errorf("a file beside what it imports: %v", err)
	}
	for name, want := range map[string][]string{
		"bad.proto":                    {"bad.proto:2:13: ", "bad.proto:3:3: "},
		"far.proto":                    {"nowhere.proto", "add the folder that holds it to `include`"},
		"none.proto":                   {"none.proto: no such file"},
		"protos/shop/v1/service.proto": {"shop/v1/more.proto", "to `include`"},
	} {
		_, err := Load(at(name), Options{})
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got %v, want %q", name, err, w)
			}
		}
	}
}
