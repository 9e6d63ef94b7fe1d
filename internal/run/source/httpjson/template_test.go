package httpjson

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// FuzzTarget fills any template with any texts: what comes out parses as a URL,
// has the template's own segments and pairs, and says the texts again.
func FuzzTarget(f *testing.F) {
	for _, template := range []string{
		"/lowest/{product}?region={region}&q={product}", "/{product}/{region}.json", "?a={region}", "/a%20b/{product}-{region}?x=1&{", "/{product}?{region}=1",
		"/../{product}", "//{product}//?&&=&a=b={region}", "/{product?a}", "/{a&b}?c={product}", "",
	} {
		f.Add(template, "p1", "eu")
		f.Add(template, "../a/b?c#d%2e&e=f+g", "\x00é\xff{product}")
		f.Add(template, "..", "")
	}
	op := &source.Operation{Meta: &artifact.Operation{Args: tFirstArgs}, Schema: schemaOf(product, abi.Field{Name: "region", Type: tString})}
	f.Fuzz(func(t *testing.T, template, product, region string) {
		if !utf8.ValidString(product) || !utf8.ValidString(region) {
			return
		}
		file := settings.Parse("fuzz.toml", nil)
		r := &reader{op: op, table: file.Root}
		to := r.target("get", template)
		if r.wrong {
			return
		}
		args, err := json.Marshal([]string{product, region})
		if err != nil {
			t.Fatal(err)
		}
		var c calls
		c.reset(2)
		if err := c.add(0, args); err != nil {
			t.Fatal(err)
		}
		path, err := to.appendPath(nil, &c)
		if err != nil {
			return
		}
		query, err := to.appendQuery(nil, 0, &c)
		if err != nil {
			t.Fatalf("the query of %q: %v", template, err)
		}
		u, err := url.ParseRequestURI("http://x" + string(path) + "?" + string(query))
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "x" || u.EscapedPath() != string(path) || u.RawQuery != string(query) {
			t.Fatalf("%q gives the host %q, the path %q, the query %q", template, u.Host, u.EscapedPath(), u.RawQuery)
		}
		said := func(text string) string { // what a server hears
			out, err := url.PathUnescape(strings.NewReplacer("{product}", "\x01", "{region}", "\x02").Replace(text))
			if err != nil {
				t.Fatal(err)
			}
			return strings.NewReplacer("\x01", product, "\x02", region).Replace(out)
		}
		if strings.Contains(template, "\x01") || strings.Contains(template, "\x02") || strings.Contains(template, "%01") || strings.Contains(template, "%02") {
			return
		}
		wantPath, wantQuery, _ := cutQuery(template)
		sameParts(t, template, strings.Split(wantPath, "/"), strings.Split(string(path), "/"), said)
		var pairs []string
		for _, p := range strings.Split(wantQuery, "&") {
			if p != "" {
				pairs = append(pairs, p)
			}
		}
		sameParts(t, template, pairs, strings.FieldsFunc(string(query), func(r rune) bool { return r == '&' }), said)
	})
}

// sameParts compares the parts of a template with those of what came of it.
func sameParts(t *testing.T, template string, want, got []string, said func(string) string) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%q has %d parts, %q has %d", template, len(want), got, len(got))
	}
	for i := range want {
		heard, err := url.PathUnescape(got[i])
		if err != nil || heard != said(want[i]) {
			t.Fatalf("%q: %q is heard as %q, %v; want %q", template, got[i], heard, err, said(want[i]))
		}
	}
}
