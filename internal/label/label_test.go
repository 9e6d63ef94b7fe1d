package label_test

import (
	"strings"
	"testing"

	"towpath.dev/internal/label"
)

func TestValid(t *testing.T) {
	for _, name := range []string{"a", "7", "eu-1", "a--b", strings.Repeat("x", 63)} {
		if !label.Valid(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"", "-", "a-", "-a", "eu/1", "eu.1", "eu_1", "EU", "é", "a b", "a\n", strings.Repeat("x", 64)} {
		if label.Valid(name) {
			t.Errorf("%q is taken", name)
		}
	}
}
