package release_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/control/release"
)

func TestBindingsAsObjects(t *testing.T) {
	data, err := release.Binding{"env/prod.toml": []byte("a\n"), "a.proto": nil}.Encode()
	if want := "towpath binding 1\n0 a.proto\n\n2 env/prod.toml\na\n\n"; err != nil || string(data) != want {
		t.Errorf("%q, %v; want %q", data, err, want)
	}
}

// TestBindingsComeBack: what is encoded is decoded, and equal files have equal bytes.
func TestBindingsComeBack(t *testing.T) {
	seed := rand.Uint64()
	for i := range 300 {
		d := rand.New(rand.NewPCG(seed, uint64(i)))
		b := release.Binding{}
		for range 1 + d.IntN(8) {
			content := make([]byte, d.IntN(50))
			for j := range content {
				content[j] = byte(d.Uint32())
			}
			b[fmt.Sprintf("d%d/%c.toml", d.IntN(3), 'a'+d.IntN(5))] = content
		}
		data, err := b.Encode()
		if err != nil {
			t.Fatalf("seed %d, %d: %v", seed, i, err)
		}
		back, err := release.DecodeBinding(data)
		if err != nil || !maps.EqualFunc(b, back, bytes.Equal) {
			t.Fatalf("seed %d, %d: %q comes back as %q, %v", seed, i, b, back, err)
		}
		// Any change to its bytes is another binding, or none.
		data[d.IntN(len(data))] ^= byte(1 + d.IntN(255))
		if back, err = release.DecodeBinding(data); err == nil && maps.EqualFunc(b, back, bytes.Equal) {
			t.Fatalf("seed %d, %d: two objects are one binding: %q", seed, i, data)
		}
	}
}

func TestPathsThatLeadElsewhere(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "/etc/passwd", "../x", "a/../../x", "a/../b", "a//b", "./a", "a/", "a/./b", `a\b`, "c:a", "a\x00b", "a\nb", "\xff",
		strings.Repeat("a", 256), strings.Repeat("a/", 300) + "b",
	} {
		_, err := release.Binding{name: nil}.Encode()
		says(t, err, "a binding: the path")
	}
}

func TestBindingsThatAreRefused(t *testing.T) {
	many := release.Binding{}
	for i := range 1001 {
		many[fmt.Sprint(i)] = nil
	}
	for _, test := range []struct {
		binding release.Binding
		says    string
	}{
		{nil, "it has no files"},
		{many, "it has 1001 files"},
		{release.Binding{"a": make([]byte, release.MaxBinding)}, "the largest is a with 1048576"},
		{release.Binding{"a": nil, "A": nil}, "one file where capitals do not count"},
		{release.Binding{"a": nil, "a/b/c": nil}, "lies in a folder of its name"},
	} {
		_, err := test.binding.Encode()
		says(t, err, test.says)
	}
	for _, test := range []struct{ data, says string }{
		{"", "at its beginning"},
		{"towpath binding 2\n", "a later tow"},
		{"towpath binding 1\n", "it has no files"},
		{"towpath binding 1\n1 a\n", "at byte 18"},
		{"towpath binding 1\n5 a\nb\n", "at byte 18"},
		{"towpath binding 1\n-1 a\nb\n", "at byte 18"},
		{"towpath binding 1\n1 a\nbc", "at byte 18"},
		{"towpath binding 1\n01 a\nb\n", "not in canonical form"},
		{"towpath binding 1\n1 b\nb\n1 a\nb\n", "not in canonical form"},
		{"towpath binding 1\n1 a\nb\n1 a\nb\n", "not in canonical form"},
		{"towpath binding 1\n1 ../a\nb\n", "leads elsewhere"},
	} {
		_, err := release.DecodeBinding([]byte(test.data))
		says(t, err, test.says)
	}
}

func FuzzDecodeBinding(f *testing.F) {
	data, err := binding().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("towpath binding 1\n1 ../a\nb\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := release.DecodeBinding(data)
		if err != nil {
			return
		}
		for name := range b {
			if !filepath.IsLocal(filepath.FromSlash(name)) {
				t.Fatalf("%q leads out of a folder", name)
			}
		}
		again, err := b.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q is read, and written as %q, %v", data, again, err)
		}
	})
}

func TestUnpacking(t *testing.T) {
	dir := t.TempDir()
	target, beside := filepath.Join(dir, "files"), filepath.Join(dir, "beside")
	unpack := func(b release.Binding) {
		t.Helper()
		if err := b.Unpack(target, beside); err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		if err := filepath.WalkDir(target, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			rel, _ := filepath.Rel(target, path)
			found[filepath.ToSlash(rel)] = string(text)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for name, text := range b {
			want[name] = string(text)
		}
		if !maps.Equal(found, want) {
			t.Errorf("the folder has %v; want %v", found, want)
		}
		if left, err := os.ReadDir(beside); err == nil && len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
	unpack(binding())
	about, err := os.Stat(target)
	if err != nil {
		t.Fatal(err)
	}
	unpack(binding())
	if again, err := os.Stat(target); err != nil || !os.SameFile(about, again) {
		t.Error("a folder that is as it has to be was made anew")
	}
	for _, spoil := range []func() error{
		func() error { return os.WriteFile(filepath.Join(target, "env", "prod.toml"), []byte("other"), 0o600) },
		func() error { return os.WriteFile(filepath.Join(target, "more"), nil, 0o600) },
		func() error { return os.Remove(filepath.Join(target, "env", "base.toml")) },
		func() error {
			if err := os.Remove(filepath.Join(target, "env", "base.toml")); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(target, "env", "prod.toml"), filepath.Join(target, "env", "base.toml"))
		},
		func() error {
			if err := os.RemoveAll(target); err != nil {
				return err
			}
			return os.WriteFile(target, []byte("a file"), 0o600)
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		unpack(binding())
	}
	unpack(release.Binding{"env/prod.toml": []byte("other")})
}

// project writes files into a folder.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCollecting(t *testing.T) {
	dir := project(t, map[string]string{
		"env/prod.toml": `
extends = "base"
[sources.market]
type = "postgres"
url = "${env:MARKET}"
[sources.rates]
type = "file"
path = "data/rates.csv"
[sources.pricing]
type = "grpc"
url = "https://x"
proto = "proto/shop/pricing.proto"
include = ["proto"]
ca = "certs/ca.pem"
cert = "certs/both.pem"
key = "certs/me.key"
headers = { authorization = "Bearer ${file:/run/token}" }
[sources.big]
type = "file"
path = "data/big.csv"
[sources.missing]
type = "file"
path = "data/missing.csv"
[sources.absolute]
type = "file"
path = "/srv/data.csv"
`,
		"env/base.toml":            "[sources.market]\ntype = \"sqlite\"\nfile = \"market.db\"\n[sources.local]\ntype = \"sqlite\"\nfile = \"local.db\"\n",
		"env/other.toml":           "",
		"data/rates.csv":           "a,b\n",
		"data/big.csv":             strings.Repeat("x", release.MaxBinding),
		"proto/shop/pricing.proto": "import \"shop/money.proto\";\nimport \"google/protobuf/any.proto\";\n",
		"proto/shop/money.proto":   "import public 'deep.proto';",
		"proto/deep.proto":         "",
		"proto/unused.proto":       "",
		"certs/ca.pem":             "-----BEGIN CERTIFICATE-----",
		"certs/both.pem":           "-----BEGIN PRIVATE KEY-----",
	})
	b, left, err := release.Collect(dir, "prod")
	if err != nil {
		t.Fatal(err)
	}
	want := "certs/ca.pem data/rates.csv env/base.toml env/prod.toml proto/deep.proto proto/shop/money.proto proto/shop/pricing.proto"
	var names []string
	for name := range maps.Keys(b) {
		names = append(names, name)
	}
	if got := sorted(names); got != want {
		t.Errorf("the binding has\n%s\nwant\n%s", got, want)
	}
	var why []string
	for _, l := range left {
		why = append(why, l.Setting)
	}
	if got, want := sorted(why), "sources.absolute.path sources.big.path sources.local.file sources.missing.path sources.pricing.cert sources.pricing.key"; got != want {
		t.Errorf("left are\n%v\nwant\n%s", left, want)
	}
	if got := fmt.Sprint(b.References()); got != "[${env:MARKET} ${file:/run/token}]" {
		t.Errorf("references are %s", got)
	}
}

func TestCollectingWhatIsWrong(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := project(t, map[string]string{
		"env/a.toml": "extends = \"b\"", "env/b.toml": "extends = \"a\"", "env/bad.toml": "x = [",
		"env/link.toml": "[sources.a]\ntype = \"file\"\npath = \"link.csv\"\n",
	})
	if err := os.Symlink(outside, filepath.Join(dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	for environment, text := range map[string]string{"a": "extend each other in a circle", "bad": "env/bad.toml", "none": "; begin with a copy of another one, cp env/a.toml env/none.toml, and change what differs", "../a": "cannot name an environment", "prod.eu": "cannot name an environment that is deployed to", "prod_eu": "cannot name"} {
		_, _, err := release.Collect(dir, environment)
		says(t, err, text)
	}
	// A link that leads out of the project is no way to have a file packed.
	b, left, err := release.Collect(dir, "link")
	if err != nil || len(b) != 1 || len(left) != 1 {
		t.Errorf("%v, %v, %v", b, left, err)
	}
}
