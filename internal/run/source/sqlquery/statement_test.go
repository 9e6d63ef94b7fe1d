package sqlquery

import (
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		text, refs, columns string
		calls               bool
		only                string // "postgres" or "sqlite" where the dialects differ
		mistake             string
	}{
		{text: "select :a, :b.c, :b.c.d. from x", refs: "a b.c b.c.d"},
		{text: "select ':a', \":b\", 'it''s :c' || :d", refs: "d"},
		{text: "select a::text, :b::text, now()::x::y, f(x := 1)", refs: "b"},
		{text: "select 1 -- :a\n, /* :b */ :c", refs: "c"},
		{text: "/* /* :a */ :b */ select :c", refs: "c", only: "postgres"},
		{text: "/* /* :a */ select :b /* */", refs: "b", only: "sqlite"},
		{text: "select $$ :a ' $$, $x$ :b $$ $x$, :c, d$1$ :e", refs: "c e", only: "postgres"},
		{text: `select E'\' :a', e'\\', 'x\', :b`, refs: "b", only: "postgres"},
		{text: `select [:a], ` + "`:b`" + `, 'x\', :c`, refs: "c", only: "sqlite"},
		{text: "select x[1 : n], y[2:3], z ?| '{}', :a", refs: "a", only: "postgres"},
		{text: "select :größe_1", refs: "größe_1"},
		{text: "select call, x from calls", calls: true},
		{text: "select call, x from t join Calls on calls.x = t.x and calls.\"y.z\" = 1", calls: true, columns: "x y.z"},
		{text: "select * from t, \"calls\" c", calls: true},
		{text: "select * from (calls join t using (x))", calls: true},
		{text: "select (select count(*) from calls), 1", calls: true},
		{text: "select a, calls, t.calls from public.calls", calls: false},
		{text: "insert into t select x from calls;", calls: true},
		{text: "select 'from calls' /* from calls */", calls: false},
		{text: "select 1;\n select 2", mistake: "line 2: a second statement begins; expected one statement"},
		{text: " -- nothing\n;", mistake: "it holds no statement"},
		{text: "select\n 'a", mistake: "line 2: a quotation begins that does not end; close it with '"},
		{text: "select /* a", mistake: "line 1: a comment begins that does not end; close it with */"},
		{text: "select $a$ b $A$", only: "postgres", mistake: "line 1: a text begins with $a$ that does not end; close it with $a$"},
		{text: "select $1", only: "postgres", mistake: "line 1: `$1` names no parameter here; write :name"},
		{text: "select ?1", only: "sqlite", mistake: "line 1: `?` names no parameter here; write :name"},
		{text: "select @a", only: "sqlite", mistake: "line 1: `@` names no parameter here; write :name"},
	} {
		for _, d := range []dialect{postgreSQL, sqlite} {
			if c.only == "postgres" && !d.postgres || c.only == "sqlite" && d.postgres {
				continue
			}
			s, err := scan(c.text, d)
			if err != nil || c.mistake != "" {
				if err == nil || err.Error() != c.mistake {
					t.Errorf("%s, %q: %v; expected %q", d.name, c.text, err, c.mistake)
				}
				continue
			}
			if refs := paths(s.refs); refs != c.refs {
				t.Errorf("%s, %q names %q; expected %q", d.name, c.text, refs, c.refs)
			}
			if columns := paths(s.columns); columns != c.columns || s.calls != c.calls {
				t.Errorf("%s, %q reads calls: %v, its columns %q", d.name, c.text, s.calls, columns)
			}
			for _, r := range s.refs {
				if got := c.text[r.start:r.end]; got != ":"+r.path {
					t.Errorf("%s, %q: %s stands at %q", d.name, c.text, r.path, got)
				}
			}
		}
	}
}

func paths(refs []ref) string {
	var out []string
	for _, r := range refs {
		out = append(out, r.path)
	}
	return strings.Join(out, " ")
}

func TestWith(t *testing.T) {
	for text, want := range map[string]string{
		"select 1 from calls":                            "with C select 1 from calls",
		"with a as (select 1) select 1 from calls":       "with C, a as (select 1) select 1 from calls",
		"WITH /**/ RECURSIVE a as (x) select from calls": "WITH /**/ RECURSIVE C, a as (x) select from calls",
		"insert into x with a as (x) select from calls":  "with C insert into x with a as (x) select from calls",
		"(with a as (x) select from calls)":              "with C (with a as (x) select from calls)",
	} {
		s, err := scan(text, postgreSQL)
		if err != nil || s.withCalls("C") != want {
			t.Errorf("%q becomes %q, %v; expected %q", text, s.withCalls("C"), err, want)
		}
	}
}

// FuzzScan looks for texts that break the scanner, or in which the names that it
// finds do not stand.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"select :a.b::text, $$x$$, E'\\'' from calls -- x", "with recursive x as (/* */) [a] `b` \"c\" ?", ":a.", "calls.\"", "$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []dialect{postgreSQL, sqlite} {
			s, err := scan(text, d)
			if err != nil {
				continue
			}
			for _, r := range s.refs {
				if text[r.start:r.end] != ":"+r.path || r.line < 1 {
					t.Errorf("%s: %q stands at %q", d.name, r.path, text[r.start:r.end])
				}
			}
			_ = s.withCalls("calls")
		}
	})
}

// FuzzValues looks for arguments that break their reader.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`[null,[1,2],{"text":"q","near":{"late-share":"1","region":"Japan"},"most":{"amount":"5","currency":"JPY"}}]`))
	f.Add([]byte(`["\"",[],{}]`))
	f.Fuzz(func(t *testing.T, args []byte) {
		p := paramsOf(operationOf(t, "maybe"))
		values := make([][]byte, len(p.all))
		if !p.values(args, values) {
			return
		}
		var s scratch
		for i, v := range values {
			s.element(nil, p.all[i].kind, v)
			if v != nil {
				appendUnquoted(nil, v)
			}
		}
	})
}

// TestRoom: operations with few and with many columns take turns on the same
// scratch, and it does not grow for that.
func TestRoom(t *testing.T) {
	var list [][]byte
	for range 100 {
		list = withLen(withLen(list, 1), 5)
	}
	if cap(list) > 16 {
		t.Errorf("room for %d columns where 5 are the most", cap(list))
	}
}
