package towpath_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layers says which packages may import which, downwards only. A package is
// found by its longest prefix here; it may import packages of a lower floor,
// and those of its own wing that its entry names.
//
// See docs/architecture.md for the house that this keeps standing.
var layers = []struct {
	prefix string
	floor  int
	may    []string // on the same floor
}{
	{"cmd/tow", 5, nil},
	{"internal/proof", 5, []string{"internal/proof"}},
	{"internal/lsp", 4, nil},
	{"internal/tester", 4, nil},
	{"internal/project", 4, nil},
	{"internal/importer", 4, nil},
	{"", 4, nil}, // the façade, towpath.go

	{"internal/lang/compile", 3, []string{"internal/lang"}},
	{"internal/lang/interp", 3, []string{"internal/lang/core", "internal/lang/span"}},
	{"internal/lang/emit", 3, []string{"internal/lang/ir", "internal/lang/wasm"}},
	{"internal/lang/opt", 3, []string{"internal/lang/ir"}},
	{"internal/lang/lower", 3, []string{"internal/lang/core", "internal/lang/ir", "internal/lang/span"}},
	{"internal/lang/wasm", 3, nil},
	{"internal/lang/ir", 3, nil},
	{"internal/lang/stdlib", 3, nil},
	{"internal/lang/types", 3, []string{"internal/lang/core", "internal/lang/syntax", "internal/lang/diag", "internal/lang/span"}},
	{"internal/lang/core", 3, []string{"internal/lang/span"}},
	{"internal/lang/format", 3, []string{"internal/lang/syntax", "internal/lang/diag", "internal/lang/span"}},
	{"internal/lang/syntax", 3, []string{"internal/lang/diag", "internal/lang/span"}},
	{"internal/lang/diag", 3, []string{"internal/lang/span"}},
	{"internal/lang/span", 3, nil},
	{"internal/run/serve", 3, []string{"internal/run"}},
	{"internal/run/record", 3, []string{"internal/run/engine"}},
	{"internal/run/admit", 3, nil},
	{"internal/run/bind", 3, []string{"internal/run/source", "internal/run/fetch"}},
	{"internal/run/fetch", 3, []string{"internal/run/engine", "internal/run/source"}},
	{"internal/run/source/viewcall", 3, []string{"internal/run/source", "internal/run/engine"}},
	{"internal/run/source", 3, []string{"internal/run/source"}},
	{"internal/run/engine", 3, nil},
	{"internal/control/deploy", 3, []string{"internal/control/deploy", "internal/control/elected", "internal/control/fleet", "internal/control/mirror", "internal/control/release", "internal/control/verdict"}},
	{"internal/control/fleet", 3, []string{"internal/control/release", "internal/control/verdict"}},
	{"internal/control/mirror", 3, nil},
	{"internal/control/elected", 3, nil},
	{"internal/control/api", 3, []string{"internal/control"}},
	{"internal/control/cluster", 3, []string{"internal/control"}},
	{"internal/control/elections", 3, []string{"internal/control"}},
	{"internal/control/kv", 3, []string{"internal/control"}},
	{"internal/control/access", 3, []string{"internal/control"}},
	{"internal/control/member", 3, []string{"internal/control"}},
	{"internal/control/etcdstore", 3, []string{"internal/control"}},
	{"internal/control/memstore", 3, []string{"internal/control"}},
	{"internal/control/faultstore", 3, []string{"internal/control"}},
	{"internal/control/backup/catalog", 3, nil},
	{"internal/control/backup/cost", 3, []string{"internal/control/backup/catalog"}},
	{"internal/control/certs", 3, nil},
	{"internal/control/maintain", 3, []string{"internal/control/cluster", "internal/control/elected"}},
	{"internal/control/backup/segment", 3, nil},
	{"internal/control/release", 3, nil},
	{"internal/control/backup", 3, []string{"internal/control/backup", "internal/control"}},
	{"internal/control/verdict", 3, []string{"internal/control/verdict"}},
	{"internal/control", 3, nil},

	{"client", 2, nil},
	{"internal/settings", 2, nil},
	{"internal/artifact/compat", 2, []string{"internal/artifact"}},
	{"internal/artifact", 2, nil},
	{"internal/blob", 2, []string{"internal/blob"}},
	{"internal/jsonschema", 2, nil},
	{"internal/codec", 2, nil},

	{"election", 1, nil},
	{"api", 1, []string{"api"}},
	{"internal/native", 1, []string{"internal/decimal"}},
	{"internal/abi", 1, nil},
	{"internal/label", 1, nil},
	{"internal/wholefile", 1, nil},
	{"internal/ports", 1, nil},
	{"internal/decimal", 1, nil},
}

const module = "towpath.dev"

// TestImportsRunDownwards checks every import of our own packages outside tests.
func TestImportsRunDownwards(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || isModule(path) || entry.Name() == "node_modules" || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(path))
		if from == "." {
			from = ""
		}
		for _, spec := range file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if strings.HasPrefix(from, "internal/lang/") && strings.Contains(strings.Split(target, "/")[0], ".") && !strings.HasPrefix(target, module) {
				t.Errorf("%s imports %s: internal/lang depends on the standard library alone", path, target)
			}
			if target != module && !strings.HasPrefix(target, module+"/") {
				continue
			}
			if why := forbidden(from, strings.TrimPrefix(strings.TrimPrefix(target, module), "/")); why != "" {
				t.Errorf("%s imports %s: %s", path, target, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isModule reports whether a folder below the root is a Go module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func forbidden(from, to string) string {
	if strings.HasPrefix(from, "internal/testkit") || strings.HasSuffix(from, "test") || strings.HasSuffix(from, "/gen") {
		return "" // test-only helpers and generators
	}
	if strings.HasPrefix(to, "internal/testkit") {
		return "internal/testkit is for tests"
	}
	f, t := layerOf(from), layerOf(to)
	if f < 0 || t < 0 {
		return "a package has no floor; give it one in deps_test.go and docs/architecture.md"
	}
	if layers[t].floor < layers[f].floor {
		return ""
	}
	if layers[t].floor == layers[f].floor {
		for _, p := range layers[f].may {
			if to == p || strings.HasPrefix(to, p+"/") {
				return ""
			}
		}
		if layers[f].floor == 4 && layers[t].floor == 4 && to != "" {
			return ""
		}
		return "they stand side by side"
	}
	return "imports run downwards"
}

func layerOf(pkg string) int {
	best := -1
	for i, l := range layers {
		if l.prefix == pkg || (l.prefix != "" && strings.HasPrefix(pkg, l.prefix+"/")) {
			if best < 0 || len(l.prefix) > len(layers[best].prefix) {
				best = i
			}
		}
	}
	return best
}
