package types

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
)

// TestPages checks the example of every page that explains one of this
// package's codes, and that every code has a page.
func TestPages(t *testing.T) {
	for _, code := range allCodes {
		t.Run(string(code), func(t *testing.T) {
			e, err := diag.Explain(code)
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range e.Bad {
				_, _, d := check(t, splitModules(text)...)
				found := false
				for _, x := range d.All {
					found = found || x.Code == code
					if x.Code != code && x.Code < "TW09" {
						t.Errorf("failing example %d gives %v besides", i+1, x)
					}
				}
				if !found {
					t.Errorf("failing example %d does not fail with %s:\n%s", i+1, code, report(d))
				}
			}
			for i, text := range e.Good {
				if _, _, d := check(t, splitModules(text)...); len(d.All) > 0 {
					t.Errorf("good example %d gives:\n%s", i+1, report(d))
				}
			}
		})
	}
}

// splitModules parts an example at its lines `-- path.tow --`; what stands
// before the first is the module main.
func splitModules(text string) []testModule {
	mods := []testModule{{path: "main"}}
	for _, line := range strings.SplitAfter(text, "\n") {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if name, isModule := strings.CutSuffix(name, ".tow --"); ok && isModule {
			mods = append(mods, testModule{path: name})
			continue
		}
		mods[len(mods)-1].text += line
	}
	if strings.TrimSpace(mods[0].text) == "" {
		mods = mods[1:]
	}
	return mods
}
