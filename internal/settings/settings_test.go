package settings

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMistakesHavePlaces(t *testing.T) {
	f := Parse("env/dev.toml", []byte(`extends = 3
[sources.prices]
url = "http://x"
tiemout = "5s"
retries = 99
[services.Pricing]
lowest = { get = "/x", body = 1 }
`))
	root := f.Root
	if got := root.Text("extends", "none"); got != "none" {
		t.Errorf("extends is %q", got)
	}
	prices := root.Table("sources").Table("prices")
	if got := prices.Required("url"); got != "http://x" {
		t.Errorf("url is %q", got)
	}
	if got := prices.Duration("timeout", time.Second); got != time.Second {
		t.Errorf("timeout is %s", got)
	}
	prices.Int("retries", 0, 0, 9)
	prices.Done()
	lowest := root.Table("services").Table("Pricing").Table("lowest")
	lowest.Required("get")
	lowest.Required("answer")
	lowest.Done()
	root.Done()
	want := "env/dev.toml:1:1: `extends` is a whole number; expected a text in quotes\n" +
		"env/dev.toml:4:1: there is no setting `tiemout` in `sources.prices`; there is `retries`, `timeout`, `url`\n" +
		"env/dev.toml:5:1: `retries` is 99; expected 0 to 9\n" +
		"env/dev.toml:7:1: `services.Pricing.lowest` is missing its `answer`\n" +
		"env/dev.toml:7:24: there is no setting `body` in `services.Pricing.lowest`; there is `answer`, `get`"
	if err := f.Err(); err == nil || err.Error() != want {
		t.Errorf("mistakes:\n%v\nwant:\n%s", err, want)
	}
}

func TestBrokenTOML(t *testing.T) {
	f := Parse("x.toml", []byte("a = 1\nb = = 2\n"))
	var m *Mistake
	if err := f.Err(); !errors.As(err, &m) || m.Line != 2 {
		t.Errorf("error: %v", f.Err())
	}
	f.Root.Table("c").Done() // of nothing
}

func TestReferences(t *testing.T) {
	f := Parse("x.toml", []byte("a = \"${env:A}!\"\nb = [\"${env:B}\"]\n"))
	f.Expand = func(text string) (string, error) {
		if strings.Contains(text, "B") {
			return "", errors.New("no such variable")
		}
		return strings.ReplaceAll(text, "${env:A}", "hello"), nil
	}
	if got := f.Root.Text("a", ""); got != "hello!" {
		t.Errorf("a is %q", got)
	}
	f.Root.Texts("b")
	if err := f.Err(); err == nil || err.Error() != "x.toml:2:1: `b`: no such variable" {
		t.Errorf("error: %v", err)
	}
}
