package bind_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/bind"
)

func TestViewsOfOtherPrograms(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "env"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := `
[sources.quotes]
type = "view"
program = "quotes"
[sources.web]
type = "http"
url = "http://127.0.0.1:1"
[services.Quotes]
source = "quotes"
[services.Quotes.price]
view = "quotes.lowest"
[services.Web]
source = "web"
[services.Lost]
source = "nowhere"
`
	if err := os.WriteFile(filepath.Join(root, "env", "dev.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := bind.Read(root, "dev")
	if err != nil {
		t.Fatal(err)
	}
	op := func(service, name string) artifact.Operation {
		return artifact.Operation{Module: "main", Service: service, Name: name}
	}
	got := env.Views(&artifact.Manifest{Operations: []artifact.Operation{
		op("Quotes", "price"), op("Quotes", "history"), op("Web", "get"), op("Lost", "get"), op("Unbound", "get"),
	}})
	want := map[string]bind.View{
		"main.Quotes.price":   {Program: "quotes", View: "quotes.lowest"},
		"main.Quotes.history": {Program: "quotes", View: "history"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
}
