package bind

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/source"
)

const shop = `
pub service Catalog {
  fn offers(product: String) -> List<String>
  fn title(product: String) -> String
}

pub service Pricing {
  fn lowest(product: String) -> Int
}

view all(product: String) -> (List<String>, String, Int) {
  (Catalog.offers(product), Catalog.title(product), Pricing.lowest(product))
}
`

func manifest(t *testing.T) *artifact.Manifest {
	t.Helper()
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(shop)}}, compile.Options{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.All[0])
	}
	return res.Manifest
}

// project writes the files of a project's env folder.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "env"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, "env", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const base = `
[sources.api]
type = "http"
url = "http://127.0.0.1:1/v1"

[services.Catalog]
source = "api"

[services.Catalog.offers]
get = "/offers/{product}"

[services.Catalog.title]
get = "/titles/{product}"

[services.Pricing]
source = "api"

[services.Pricing.lowest]
get = "/lowest/{product}"
`

// keys binds an environment and gives the bindings' keys.
func keys(t *testing.T, files map[string]string, name string) []string {
	t.Helper()
	e, err := Read(project(t, files), name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Bind(manifest(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var out []string
	for _, bound := range b.Bound {
		if bound.Caller == nil {
			t.Error("an operation is not bound")
		}
		out = append(out, bound.Source+" "+bound.Key)
	}
	return out
}

func TestInheritance(t *testing.T) {
	files := map[string]string{
		"base.toml": base,
		"one.toml":  "extends = \"base\"\n[services.Catalog.title]\nget = \"/other/{product}\"\n",
		"two.toml":  "extends = \"one\"\n[sources.other]\ntype = \"http\"\nurl = \"http://127.0.0.1:2\"\n[services.Pricing]\nsource = \"other\"\n[services.Pricing.lowest]\nget = \"/{product}\"\n",
	}
	plain, one, two := keys(t, files, "base"), keys(t, files, "one"), keys(t, files, "two")
	if plain[0] != one[0] || plain[1] == one[1] || plain[2] != one[2] {
		t.Errorf("one operation is replaced: %q, %q", plain, one)
	}
	if two[1] != one[1] || !strings.HasPrefix(two[2], "other ") {
		t.Errorf("one service is replaced: %q, %q", one, two)
	}
}

func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing answers":    {strings.Replace(base, "[services.Pricing]", "[services.Pricng]", 1), "env/x.toml:6:2: nothing answers the service shop.Pricing: add [services.Pricing]"},
		"another service":    {strings.ReplaceAll(base, "services.Pricing", "services.Pricng"), "env/x.toml:15:11: the program calls no service `Pricng`; there is `Catalog`, `Pricing`"},
		"no source":          {strings.Replace(base, `source = "api"`, `source = "apo"`, 1), "env/x.toml:7:1: there is no source `apo`; there is `api`"},
		"another operation":  {strings.Replace(base, "Catalog.title", "Catalog.titel", 1), "env/x.toml:12:19: the program calls no operation `titel` of `Catalog`; nothing says how `title` is asked"},
		"an unknown type":    {strings.Replace(base, `"http"`, `"htpp"`, 1), "env/x.toml:3:1: `type` is \"htpp\"; expected one of file, grpc, http, postgres, sqlite, view"},
		"a setting":          {strings.Replace(base, `get = "/lowest`, `gte = "/lowest`, 1), "env/x.toml:19:1: there is no setting `gte` in `services.Pricing.lowest`"},
		"a source's setting": {strings.Replace(base, `url =`, `ulr =`, 1), "env/x.toml:4:1: there is no setting `ulr` in `sources.api`"},
		"a variable":         {strings.Replace(base, `/v1"`, `/${env:TOWPATH_NO_SUCH}"`, 1), "env/x.toml:4:1: `url`: the environment variable TOWPATH_NO_SUCH is not set"},
		"no TOML":            {base + "[", "env/x.toml:20:"},
		"a program":          {strings.Replace(base, `"http"`+"\nurl = \"http://127.0.0.1:1/v1\"", `"view"`+"\nprogram = \"p\"", 1), "programs cannot ask each other here"},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.text
			if name == "nothing answers" {
				text = strings.Split(text, "[services.Pricng]")[0]
			}
			e, err := Read(project(t, map[string]string{"x.toml": text}), "x")
			if err == nil {
				_, err = e.Bind(manifest(t), Options{})
			}
			if err == nil || strings.Count(err.Error(), c.want) != 1 {
				t.Errorf("mistakes:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
}

func TestCircle(t *testing.T) {
	root := project(t, map[string]string{"a.toml": "extends = \"b\"\n", "b.toml": "extends = \"a\"\n"})
	if _, err := Read(root, "a"); err == nil || !strings.Contains(err.Error(), "a → b → a") {
		t.Error(err)
	}
	for _, name := range []string{"", "../a", "x/y", ".a"} {
		if _, err := Read(root, name); err == nil || !strings.Contains(err.Error(), "is no name of an environment") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := Read(root, "c"); err == nil || !strings.Contains(err.Error(), "there is a, b") {
		t.Error(err)
	}
}

func TestSecrets(t *testing.T) {
	t.Setenv("TOWPATH_TEST_HOST", "127.0.0.1:9")
	root := project(t, nil)
	if err := os.WriteFile(filepath.Join(root, "secret"), []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := &Environment{Root: root}
	for text, want := range map[string]string{
		"plain": "plain", "http://${env:TOWPATH_TEST_HOST}/x": "http://127.0.0.1:9/x",
		"${env:TOWPATH_NO_SUCH:-d}${file:secret}": "ds3cret",
		"${env:TOWPATH_NO_SUCH}":                  "!not set", "${file:none}": "!no such file", "${x:y}": "!refers to nothing", "${env:A": "!never ends",
	} {
		got, err := e.expand(text)
		if fails, ok := strings.CutPrefix(want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), fails) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v", text, err)
			}
		} else if got != want || err != nil {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

type programs struct{ asked string }

func (p *programs) Answer(_ context.Context, program, view string, input []byte, about source.About) ([]byte, error) {
	p.asked = program + " " + view + " " + string(input) + " " + about.Request
	return []byte("7"), nil
}

func TestAnotherProgram(t *testing.T) {
	p := &programs{}
	e, err := Read(project(t, map[string]string{"base.toml": base, "x.toml": "extends = \"base\"\n[sources.quotes]\ntype = \"view\"\nprogram = \"quotes\"\n[services.Pricing]\nsource = \"quotes\"\nlowest = { view = \"prices.low\" }\n"}), "x")
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Bind(manifest(t), Options{Programs: p})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var answer string
	b.Bound[2].Caller.Call(t.Context(), &source.Batch{Args: [][]byte{[]byte(`["p1"]`)}, About: source.About{Request: "r"}}, func(_ int, body []byte, err error) {
		answer = string(body)
	})
	if want := `quotes prices.low {"product":"p1"} r`; p.asked != want || answer != "7" {
		t.Errorf("asked %q and got %q", p.asked, answer)
	}
}
