package interp

import (
	"regexp"
	"testing"

	"towpath.dev/internal/lang/stdlib"
)

// TestLibraryIsServed checks that there is an intrinsic for each that the
// standard library declares, and no other.
func TestLibraryIsServed(t *testing.T) {
	declared := map[string]bool{}
	for _, f := range stdlib.Sources() {
		for _, match := range regexp.MustCompile(`@intrinsic\("([^"]+)"\)`).FindAllStringSubmatch(f.Text, -1) {
			declared[match[1]] = true
		}
	}
	served := intrinsics()
	for name := range declared {
		if served[name] == nil {
			t.Errorf("nothing serves %s", name)
		}
	}
	for name := range served {
		if !declared[name] {
			t.Errorf("%s is declared nowhere", name)
		}
	}
}
