package settings

import (
	"errors"
	"strings"
	"testing"
)

// digestOf is the digest of [t] in a text, in which ${env:A} is a secret.
func digestOf(t *testing.T, text, secret string) string {
	t.Helper()
	f := Parse("x.toml", []byte(text))
	f.Expand = func(text string) (string, error) {
		if strings.Contains(text, "${env:NONE}") {
			return "", errors.New("no such variable")
		}
		return strings.ReplaceAll(text, "${env:A}", secret), nil
	}
	table := f.Root.Table("t")
	sum, err := table.Digest()
	if (err != nil) != strings.Contains(text, "NONE") || f.Err() != nil {
		t.Fatalf("%s: %v, %v", text, err, f.Err())
	}
	f.Root.Done()
	table.Done()
	if f.Err() == nil {
		t.Error("a key counts as asked for") // each text has one
	}
	return string(sum[:])
}

func TestDigestTellsApart(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		"[t]\na = 1", "[t]\na = 1.0", "[t]\na = \"1\"", "[t]\na = true", "[t]\na = [1]", "[t]\na = [[1]]", "[t]\na = [1, 2]",
		"[t]\na = { b = 1 }", "[t]\na = { b = 1, c = 2 }", "[t]\na = { b = 1 }\nc = 2", "[t]\nb = 1", "[t]\na = 1979-05-27",
		"[t]\na = [\"x\", \"y\"]", "[t]\na = [\"x y\"]", "[t]\na = [\"x\\\" \\\"y\"]", "[t]\na = \"${env:A}\"",
	} {
		sum := digestOf(t, text, "one")
		if other, same := seen[sum]; same {
			t.Errorf("%q and %q have one digest", text, other)
		}
		seen[sum] = text
	}
}

func TestDigestIsOfWhatIsSaid(t *testing.T) {
	said := digestOf(t, "[t]\na = \"one\"\nb = { c = 1, d = [\"x\"] }", "")
	for _, text := range []string{
		"[t]\na = \"${env:A}\"\nb.c = 1\nb.d = [\"x\"]",
		"[other]\nx = 1\n[t.b]\nd = [\"x\"]\nc = 1\n[t]\na = 'one' # a comment",
	} {
		if digestOf(t, text, "one") != said {
			t.Errorf("%q says the same, and has another digest", text)
		}
		if strings.Contains(text, "env:A") && digestOf(t, text, "two") == said {
			t.Error("another secret has the same digest")
		}
	}
	digestOf(t, "[t]\na = \"${env:NONE}\"", "")
}
