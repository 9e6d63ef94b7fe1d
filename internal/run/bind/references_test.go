package bind

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReferencesResolve: of what a program needs of an environment it is said what resolves, and
// never what to.
func TestReferencesResolve(t *testing.T) {
	t.Setenv("HERE", "value")
	t.Setenv("GONE", "")
	for _, c := range []struct {
		name    string
		source  string // in the place of base's
		resolve int
		missing []string
	}{
		{"none", `url = "http://127.0.0.1:1/v1"`, 0, nil},
		{"all", "url = \"http://127.0.0.1:1/${env:HERE}\"\nheaders = { A = \"${file:secret} ${env:HERE}\", B = \"${env:GONE:-other}\" }", 3, nil},
		{"some", "url = \"http://127.0.0.1:1/v1\"\nheaders = { A = \"${env:GONE} ${env:HERE} ${file:no/such}\", B = \"${env:GONE}\" }", 1, []string{"${env:GONE}", "${file:no/such}"}},
		{"what is no reference", "url = \"http://127.0.0.1:1/${what}\"\nheaders = { A = \"${env:HERE}\" }", 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(base, `url = "http://127.0.0.1:1/v1"`, c.source, 1) +
				"\n[sources.another]\ntype = \"http\"\nurl = \"http://127.0.0.1:1/${env:ANOTHERS}\"\n" // no service names it
			root := project(t, map[string]string{"prod.toml": text})
			if err := os.WriteFile(filepath.Join(root, "secret"), []byte("hidden\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			resolve, missing, err := References(root, "prod", manifest(t), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if resolve != c.resolve || !slices.Equal(missing, c.missing) {
				t.Errorf("%d resolve, and %q do not; expected %d, %q", resolve, missing, c.resolve, c.missing)
			}
		})
	}
	if _, _, err := References(t.TempDir(), "prod", manifest(t), Options{}); err == nil {
		t.Error("an environment that is not there has no references")
	}
}
