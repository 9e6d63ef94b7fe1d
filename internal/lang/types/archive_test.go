package types

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/testkit/txtar"
)

var expectation = regexp.MustCompile(`// (ERROR|WARNING) (.*)$`)
var quoted = regexp.MustCompile("\"([^\"]*)\"")

// TestArchives checks the projects of testdata/lang/types. A line's comment
//
//	// ERROR "TW0301: .*" "…"
//
// holds a pattern for each diagnostic that begins on it, in order; lines
// without one have none. WARNING is the same for warnings.
func TestArchives(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/lang/types/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var mods []testModule
			for _, f := range txtar.Parse(string(text)).Files {
				mods = append(mods, testModule{strings.TrimSuffix(f.Name, ".tow"), f.Text})
			}
			_, _, d := check(t, mods...)
			compare(t, mods, d)
		})
	}
}

func compare(t *testing.T, mods []testModule, d *diag.List) {
	t.Helper()
	found := map[string][]*diag.Diagnostic{}
	for _, x := range d.All {
		line, _ := x.At.File.Position(x.At.Start)
		key := fmt.Sprintf("%s:%d", x.At.File.Path, line)
		found[key] = append(found[key], x)
	}
	for _, m := range mods {
		for i, line := range strings.Split(m.text, "\n") {
			key := fmt.Sprintf("%s.tow:%d", m.path, i+1)
			var wants []string
			severity := diag.Error
			if e := expectation.FindStringSubmatch(line); e != nil {
				if e[1] == "WARNING" {
					severity = diag.Warning
				}
				for _, q := range quoted.FindAllStringSubmatch(e[2], -1) {
					wants = append(wants, q[1])
				}
			}
			for _, x := range found[key] {
				text := string(x.Code) + ": " + x.Message
				if len(wants) == 0 {
					t.Errorf("unexpected at %s", report(&diag.List{All: []*diag.Diagnostic{x}}))
					continue
				}
				if !regexp.MustCompile(wants[0]).MatchString(text) || x.Severity != severity {
					t.Errorf("%s: %s, want %q", key, text, wants[0])
				}
				wants = wants[1:]
			}
			for _, w := range wants {
				t.Errorf("%s: nothing is said, want %q", key, w)
			}
			delete(found, key)
		}
	}
	for key, xs := range found {
		t.Errorf("%s: %s", key, report(&diag.List{All: xs}))
	}
}
