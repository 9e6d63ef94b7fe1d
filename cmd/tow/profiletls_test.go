//go:build !solo

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProfileAsksByTLS: the profile that "tow init" wrote follows its control node to https, and
// another one is left as it is.
func TestProfileAsksByTLS(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7071}
	for _, c := range []struct {
		name, url, ca string
		changed       bool
	}{
		{"its own", `url = "http://127.0.0.1:7071"`, "the CA", true},
		{"its own, by name", `url = "http://localhost:7071"`, "the CA", true},
		{"by https already", `url = "https://127.0.0.1:7071"`, "the CA", false},
		{"another port", `url = "http://127.0.0.1:7072"`, "the CA", false},
		{"another cluster", `url = "http://127.0.0.1:7071"`, "another CA", false},
		{"another machine", `url = "http://10.0.0.1:7071"`, "the CA", false},
		{"somebody's own text", `url = 'http://127.0.0.1:7071'`, "the CA", false},
		{"no address", `# none`, "the CA", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "control.toml")
			text := "# mine\n" + c.url + "\nca = \"ca.pem\"\ntoken = \"http://127.0.0.1:7071\"\n"
			for name, text := range map[string]string{file: text, filepath.Join(dir, "ca.pem"): c.ca} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			changed, err := askByTLS(file, at, []byte("the CA"))
			if err != nil || changed != c.changed {
				t.Errorf("changed: %v, %v; expected %v", changed, err, c.changed)
			}
			want := text
			if c.changed {
				want = strings.Replace(text, "http:", "https:", 1)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != want {
				t.Errorf("%v\n%s\nexpected\n%s", err, got, want)
			}
		})
	}
	if changed, err := askByTLS(filepath.Join(t.TempDir(), "none.toml"), at, nil); changed || err != nil {
		t.Errorf("where there is no profile: %v, %v", changed, err)
	}
}
