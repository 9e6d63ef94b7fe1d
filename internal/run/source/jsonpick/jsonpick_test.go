package jsonpick

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPick(t *testing.T) {
	const rfc = `{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}`
	for _, c := range []struct{ text, pointer, want string }{
		{rfc, "/foo", `["bar", "baz"]`}, // RFC 6901, section 5
		{rfc, "/foo/0", `"bar"`},
		{rfc, "/", `0`},
		{rfc, "/a~1b", `1`},
		{rfc, "/c%d", `2`},
		{rfc, "/e^f", `3`},
		{rfc, "/g|h", `4`},
		{rfc, `/i\j`, `5`},
		{rfc, `/k"l`, `6`},
		{rfc, "/ ", `7`},
		{rfc, "/m~0n", `8`},
		{" [1 , 2 ] ", "", `[1 , 2 ]`},
		{`{"a":{"b":[{"c":1.5e-3}]}}`, "/a/b/0/c", `1.5e-3`},
		{`{"\u0061\uD83D\uDE00":true}`, "/a😀", `true`},
		{`{"a":null}`, "/a", `null`},
		{`{"0":"member"}`, "/0", `"member"`},
		{`["x"]`, "/00", ""},
		{`["x"]`, "/-", ""},
		{`["x"]`, "/1", ""},
		{`["x"]`, "/99999999999999999999", ""},
		{`{"a":1}`, "/b", ""},
		{`{"a":1}`, "/a/b", ""},
		{`[]`, "/0", ""},
		{`{}`, "/a", ""},
		{`{"x":{"a":1,"a":2},"a":3}`, "/a", `3`}, // nobody asks for the twice
	} {
		p, err := Compile(c.pointer)
		if err != nil {
			t.Errorf("%q: %v", c.pointer, err)
			continue
		}
		if p.String() != c.pointer {
			t.Errorf("%q is written %q", c.pointer, p)
		}
		v, ok, err := p.Scan([]byte(c.text))
		if err != nil || ok != (c.want != "") || string(v) != c.want {
			t.Errorf("%s of %s is %s, %t, %v", c.pointer, c.text, v, ok, err)
		}
	}
}

func TestWhatIsNoPointer(t *testing.T) {
	for _, text := range []string{"a", "/~", "/~2", "/a~", "#/a"} {
		if _, err := Compile(text); err == nil {
			t.Errorf("%q is a pointer", text)
		}
	}
	p := Member("a/b", "~1", "0")
	if p.String() != "/a~1b/~01/0" {
		t.Errorf("the pointer is %q", p)
	}
	if v, ok, _ := p.Scan([]byte(`{"a/b":{"~1":[5]}}`)); !ok || string(v) != "5" {
		t.Errorf("it finds %s, %t", v, ok)
	}
}

func TestWhatIsNoJSON(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "expected a value at byte 1, found the end of the text"},
		{"{", "expected a member's name at byte 2, found the end of the text"},
		{`{"a" 1}`, "expected `:` at byte 6, found `1`"},
		{`{"a":1,}`, "expected a member's name at byte 8, found `}`"},
		{`[1,]`, "expected a value at byte 4, found `]`"},
		{`[1 2]`, "expected `,` or `]` at byte 4, found `2`"},
		{`{"a":1]`, "expected `,` or `}` at byte 7, found `]`"},
		{`01`, "expected a number at byte 1, found `0`"},
		{`-`, "expected a number at byte 1, found `-`"},
		{`1.`, "expected a digit after the point at byte 3, found the end of the text"},
		{`1e+`, "expected a digit in the exponent at byte 4, found the end of the text"},
		{`tru`, "expected a value at byte 1, found `t`"},
		{`nullx`, "expected the end of the text at byte 5, found `x`"},
		{`"abcdefghijkl`, "expected the string's end at byte 14, found the end of the text"},
		{`"\q"`, "expected an escape at byte 2, found `\\`"},
		{`"\u12g4"`, "expected an escape at byte 2, found `\\`"},
		{"\"a\nb\"", "expected a character or an escape in a string at byte 3, found '\\n'"},
		{"[\x00]", "expected a value at byte 2, found '\\x00'"},
		{"\"a\xffb\"", "expected UTF-8 at byte 3"},
		{"<html>", "expected a value at byte 1, found `<`"},
	} {
		_, err := Parse([]byte(c.text))
		var at *Error
		if !errors.As(err, &at) || err.Error() != c.want {
			t.Errorf("%q: %v; want %s", c.text, err, c.want)
		}
	}
}

func TestTwice(t *testing.T) {
	p, _ := Compile("/a/b")
	for _, text := range []string{
		`{"a":{"b":1,"b":2}}`, `{"a":1,"a":{"b":2}}`, `{"a":{"b":1,"\u0062":1}}`, `{"a":{"b":1},"x":0,"a":null}`,
	} {
		if v, _, err := p.Scan([]byte(text)); err == nil || !strings.Contains(err.Error(), "a second") {
			t.Errorf("%s: %s, %v", text, v, err)
		}
	}
	whole, err := Parse([]byte(`{"a":{"b":1,"b":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Find(whole); err == nil {
		t.Error("Find takes one of two")
	}
}

func TestHostileNesting(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := Parse(deep(MaxDepth)); err != nil {
		t.Error(err)
	}
	for _, text := range [][]byte{deep(MaxDepth + 1), deep(1 << 20), bytes.Repeat([]byte(`{"a":`), 1<<20)} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "at most 256 levels") {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	if _, err := Parse([]byte("[" + strings.Repeat("[[]],", 1000) + "1]")); err != nil {
		t.Errorf("side by side: %v", err)
	}
}

func TestElementsAndMembers(t *testing.T) {
	v, err := Parse([]byte(` [ 1, {"a" : [2, 3]} ,"x" ] `))
	if err != nil {
		t.Fatal(err)
	}
	elements := v.Elements(nil)
	if len(elements) != 3 || string(elements[0]) != "1" || string(elements[1]) != `{"a" : [2, 3]}` || string(elements[2]) != `"x"` {
		t.Errorf("elements: %q", elements)
	}
	if e := Value("{}").Elements(nil); e != nil {
		t.Errorf("elements of an object: %q", e)
	}
	var got []string
	Value(`{"a" : 1, "b\n":[ ], "":{}}`).Members(func(name []byte, v Value) bool {
		got = append(got, string(name)+"="+string(v))
		return len(got) < 2
	})
	if !slices.Equal(got, []string{"a=1", "b\n=[ ]"}) {
		t.Errorf("members: %q", got)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ value, text, kind string }{
		{`"a\"\\\/\b\f\n\r\tä\u00e4"`, "a\"\\/\b\f\n\r\tää", "a text"},
		{`"\ud83d\ude00\ud83d"`, "😀\ufffd", "a text"},
		{`""`, "", "a text"}, {`1.50`, "1.50", "a number"}, {`true`, "true", "true or false"},
	} {
		text, ok := Value(c.value).Text()
		if !ok || string(text) != c.text || Value(c.value).Kind() != c.kind {
			t.Errorf("%s says %q, %t and is %s", c.value, text, ok, Value(c.value).Kind())
		}
	}
	for value, kind := range map[string]string{"null": "null", "[]": "a list", "{}": "an object", "": "nothing"} {
		if text, ok := Value(value).Text(); ok || Value(value).Kind() != kind {
			t.Errorf("%s says %q and is %s", value, text, Value(value).Kind())
		}
	}
}

// FuzzPick compares with encoding/json, which takes invalid UTF-8, more levels
// and the last of two members.
func FuzzPick(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,{"b":"x"}],"c":null}`, ` [ -0.5e+10 , true, "\u0041\ud800" ] `, `{"a":1,"a":2}`, `{"\u0061":{}}`, "[\x00", `"\`, `[[[]]]`,
		`{"a":{"0":[[],{}]},"":""}`, "\"01234567\n", `-`, `1e`,
	} {
		for _, pointer := range []string{"", "/a/1/b", "/0", "/", "/a/0/1"} {
			f.Add([]byte(text), pointer)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, pointer string) {
		p, err := Compile(pointer)
		if err != nil {
			return
		}
		v, ok, err := p.Scan(text)
		var at *Error
		switch {
		case errors.As(err, &at):
			if at.Offset < 0 || at.Offset > len(text) {
				t.Fatalf("%v is outside", err)
			}
			if strings.HasPrefix(at.Expected, "one member") || strings.HasPrefix(at.Expected, "at most") {
				return
			}
			if json.Valid(text) && utf8.Valid(text) {
				t.Fatalf("%q is JSON, but %v", text, err)
			}
			return
		case !json.Valid(text):
			t.Fatalf("%q is no JSON", text)
		}
		want, there := byHand(t, text, p)
		if ok != there {
			t.Fatalf("%s of %s: found %t, want %t", pointer, text, ok, there)
		}
		if ok && string(v) != string(bytes.TrimSpace(want)) {
			t.Fatalf("%s of %s is %s, want %s", pointer, text, v, want)
		}
		if whole, err := Parse(text); err != nil {
			t.Fatal(err)
		} else if again, ok, err := p.Find(whole); err != nil || ok != there || !bytes.Equal(again, v) {
			t.Fatalf("Find gives %s, %t, %v", again, ok, err)
		}
		sameParts(t, v)
	})
}

// byHand picks with encoding/json.
func byHand(t *testing.T, text []byte, p Pointer) (json.RawMessage, bool) {
	v := json.RawMessage(text)
	for _, step := range p.tokens {
		v = bytes.TrimSpace(v)
		switch {
		case v[0] == '{':
			var members map[string]json.RawMessage
			if err := json.Unmarshal(v, &members); err != nil {
				t.Fatal(err)
			}
			var ok bool
			if v, ok = members[step.name]; !ok {
				return nil, false
			}
		case v[0] == '[':
			var elements []json.RawMessage
			if err := json.Unmarshal(v, &elements); err != nil {
				t.Fatal(err)
			}
			i, err := strconv.ParseUint(step.name, 10, 32)
			if err != nil || strconv.FormatUint(i, 10) != step.name || i >= uint64(len(elements)) {
				return nil, false
			}
			v = elements[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// sameParts compares Elements, Members and Text with encoding/json.
func sameParts(t *testing.T, v Value) {
	if len(v) == 0 {
		return
	}
	switch v[0] {
	case '[':
		var want []json.RawMessage
		if err := json.Unmarshal(v, &want); err != nil {
			t.Fatal(err)
		}
		got := v.Elements(nil)
		if len(got) != len(want) {
			t.Fatalf("%d elements of %s", len(got), v)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("element %d of %s is %s", i, v, got[i])
			}
		}
	case '{':
		var want map[string]json.RawMessage
		if err := json.Unmarshal(v, &want); err != nil {
			t.Fatal(err)
		}
		got := map[string]Value{}
		v.Members(func(name []byte, value Value) bool {
			got[string(name)] = value
			return true
		})
		if len(got) != len(want) {
			t.Fatalf("%d members of %s", len(got), v)
		}
		for name := range got {
			if !bytes.Equal(got[name], want[name]) {
				t.Fatalf("member %q of %s is %s", name, v, got[name])
			}
		}
	case '"':
		var want string
		if err := json.Unmarshal(v, &want); err != nil {
			t.Fatal(err)
		}
		if got, _ := v.Text(); string(got) != want {
			t.Fatalf("%s says %q", v, got)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	var text bytes.Buffer
	text.WriteString(`{"items":[`)
	for i := range 20 {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(`{"product":"sku-` + strconv.Itoa(i) + `","offers":[{"id":"offer-1","merchant":"Northwind Traders","price":{"amount":"19.99","currency":"EUR"}}]}`)
	}
	text.WriteString(`],"took":3}`)
	p, _ := Compile("/items")
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := p.Scan(text.Bytes()); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
