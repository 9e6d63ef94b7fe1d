package codec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"towpath.dev/internal/codec"
	"towpath.dev/internal/codec/codectest"
)

// accepted are texts that are JSON.
var accepted = []string{
	// structures
	`[]`, `{}`, `[[]]`, `[{}]`, `{"":{}}`, `[ ]`, `{ }`, "[\n]", "\t[]\r\n", ` [ ] `, `[1,2]`, `[1 ,2]`, `[1, 2]`, "[1\n,\n2\n]",
	`{"a":1}`, `{"a":1,"b":2}`, `{"a":1,"a":1}`, `{"a":1,"a":2}`, `{"":0}`, `{"a":[]}`, "{\"a\"\t:\r1\n}", `{"\u0061":1}`, `{"a\u0000b":1}`,
	`[null]`, `[null, true, false]`, `[[],[],[[]]]`, `{"a":{"b":{"c":[]}}}`, `[{"a":1},{"b":2}]`,
	// scalars alone
	`null`, `true`, `false`, ` true`, "true\n", `0`, `""`, `"x"`, `-1`, `1e5`,
	// numbers
	`[0]`, `[-0]`, `[-0.0]`, `[0.0]`, `[1.5]`, `[123456789012345678901234567890]`, `[-123]`, `[1e1]`, `[1E1]`, `[1e+1]`, `[1E-1]`, `[0e0]`, `[0e+1]`,
	`[0.5e-10]`, `[1.7976931348623157e308]`, `[1e400]`, `[-1e-400]`, `[0.1234567890123456789]`, `[20e1]`, `[123.456e78]`, `[1,-1,1.5,-1.5e2]`,
	`[0E+0]`, `[1e00001]`, `[10]`, `[100000000000]`, `[0.0000000000000000000000000001]`,
	// strings
	`["a"]`, `["\""]`, `["\\"]`, `["\/"]`, `["/"]`, `["\b\f\n\r\t"]`, `["\u0041"]`, `["\u00e9"]`, `["\uABCD"]`, `["\uabcd"]`, `["\uD834\uDD1E"]`,
	`["\ud83d\ude39\ud83d\udc8d"]`, `["\u0000"]`, `["\u001f"]`, `["\uFFFF"]`, `["\uFFFE"]`, `["\uFDD0"]`, `["\uDBFF\uDFFF"]`, "[\"\u00e9\"]", "[\"\u20ac\"]",
	"[\"\U0001F600\"]", "[\"\u2028\u2029\"]", "[\"\x7f\"]", "[\"\u0080\"]", "[\"\uFEFF\"]", "[\"\uFFFF\"]", "[\"\U0010FFFF\"]", `["a\u0022b"]`, `["\\u0000"]`,
	`["\\\""]`, `["\\\\\\"]`, `["12345678"]`, `["1234567\""]`, `["12345678\""]`, `["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]`, `["a b c"]`,
	`["{}[],:"]`, `["//"]`, `["/* no comment */"]`, `["null"]`, `[" "]`, `["\u0020"]`, `["é€😀 mixed with plain text of some length"]`,
}

// refused are texts that are not.
var refused = []string{
	"", " ", "\n", "\x00", "\x00[]", "\ufeff[]", "\xef\xbb\xbf", "\v[]", "\f[]", "\u00a0[]", "[\u2060]", "[\u00a0]", "[\v1]", "[\f]",
	// structures
	`[`, `]`, `{`, `}`, `[1`, `[1,`, `[1,]`, `[,1]`, `[,]`, `[1,,2]`, `[1 2]`, `[1;2]`, `[1:2]`, `[}`, `{]`, `[[]`, `[]]`, `[][]`, `{}{}`, `[] []`, `[1]x`, `[1]#`, `[(1)]`,
	`{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a":1,,"b":2}`, `{"a" 1}`, `{"a"::1}`, `{"a":1 "b":2}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{null:1}`, `{"a":1}}`,
	`{"a":"b"}/**/`, `{"a":"b"}//`, `{"a":/*c*/1}`, `{[]:1}`, `{"a":1;}`, `{"a`, `{"a"`, `{"a":`, `{"a":x}`, `{:1}`, `{"a":1]`, `["a":1]`, `{"a",1}`, `{"\ud800":1}`,
	// names
	`nul`, `nulll`, `tru`, `truee`, `fals`, `falsy`, `True`, `NULL`, `[nul]`, `[True]`, `[fals,1]`, `undefined`, `NaN`, `Infinity`, `-Infinity`, `[NaN]`, `[-NaN]`, `nan`, `*`, `[*]`, `&`, `<null>`, `[<null>]`,
	// numbers
	`[-]`, `[+1]`, `[01]`, `[-01]`, `[00]`, `[1.]`, `[.5]`, `[-.5]`, `[0.e1]`, `[1.e1]`, `[1e]`, `[1e+]`, `[1e-]`, `[1E]`, `[0e]`, `[0e+]`, `[1.2.3]`, `[1e1.5]`, `[1eE2]`, `[0x10]`, `[0b1]`, `[1_000]`,
	`[1 000]`, `[--1]`, `[+-1]`, `[-+1]`, `[1+2]`, `[1-]`, `[1e1e1]`, `[ -1x]`, `[1a]`, `[0.3e]`, `[0.3e+]`, `[-2.]`, `[2.e3]`, `[2.e-3]`, `[9.e+]`, `[1ea]`, `[-a]`, `[.1]`, `[-1.0.]`, "[\uff11]", `[012]`, `[-012]`, `[0.1.2]`,
	`[-foo]`, `[1.8011670033376514H-308]`, `[- 1]`, "[1\x00]",
	// strings
	`"`, `["`, `["a`, `["a]`, `['a']`, `["a'`, `["\"]`, `["\x00"]`, `["\a"]`, `["\q"]`, `["\0"]`, `["\'"]`, `["\u"]`, `["\u0"]`, `["\u00"]`, `["\u000"]`, `["\u00g0"]`, `["\U0041"]`, `["\u 041"]`, `["\u+041"]`, `["\`,
	`["\\]`, `["\\\"]`, "[\"\n\"]", "[\"\t\"]", "[\"\r\"]", "[\"\x00\"]", "[\"\x1f\"]", "[\"a\x00b\"]", "[\"new\nline\"]", "[\"12345678\n\"]", "[\"1234567\x01\"]", `[\n]`, `["a"b]`, `["a""b"]`, `[a]`, `"a" "b"`, `["\{["\{"]`,
	// surrogates
	`["\ud800"]`, `["\udc00"]`, `["\uD800\uD800"]`, `["\uD800\u0041"]`, `["\uD800x"]`, `["\uD800\"]`, `["\uD800\n"]`, `["\uDFFF\uD800"]`, `["\ud83dx\ude00"]`, `["\uD800\u"]`, `["\uD800\u1"]`, `["\uD800\u1x"]`,
	// UTF-8
	"[\"\xff\"]", "[\"\x80\"]", "[\"\xc0\xaf\"]", "[\"\xe0\x80\xaf\"]", "[\"\xf8\x88\x80\x80\x80\"]", "[\"\xed\xa0\x80\"]", "[\"\xed\xbf\xbf\"]", "[\"\xf4\x90\x80\x80\"]", "[\"\xc3\"]", "[\"\xe2\x82\"]", "[\"\xf0\x9f\x98\"]",
	"[\"\xe9\"]", "[\xff]", "\xff", "[\"12345678\xff\"]", "[\"\\\xff\"]", "[\"\xc3\\\"", "{\"\xff\":1}", "[\"a\xc3(\"]",
}

func TestSyntax(t *testing.T) {
	m := codectest.NewMemory(t, "J = Json")
	base := m.Heap
	check := func(text string, want bool) {
		m.Heap = base
		v, err := m.Decode("J", text)
		if (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil || !want {
			return
		}
		out, err := m.Encode("J", v)
		var a, b any
		if err != nil || json.Unmarshal([]byte(text), &a) != nil && !strings.Contains(text, "e400") || json.Unmarshal([]byte(out), &b) != nil && !strings.Contains(text, "e400") {
			t.Errorf("%q: became %q %v", text, out, err)
		}
	}
	for _, text := range accepted {
		check(text, true)
	}
	for _, text := range refused {
		check(text, false)
		if json.Valid([]byte(text)) && utf8.ValidString(text) && !strings.Contains(strings.ToLower(text), `\ud`) {
			t.Errorf("%q is JSON to encoding/json", text)
		}
	}
	check(strings.Repeat("[", 128)+strings.Repeat("]", 128), true)
	check(strings.Repeat("[", 129)+strings.Repeat("]", 129), false)
	check(strings.Repeat("[", 100_000), false)
	check(strings.Repeat(`{"a":`, 100_000), false)
	check(`"`+strings.Repeat("x", 100_000)+`"`, true)
	check(strings.Repeat(" ", 10_000)+"1"+strings.Repeat("\n", 10_000), true)
}

// TestSkipped reads the same texts where a type does not know a member.
func TestSkipped(t *testing.T) {
	m := codectest.NewMemory(t, "R = { a: Int = 1 }")
	base := m.Heap
	for _, text := range accepted {
		m.Heap = base
		if _, err := m.Decode("R", `{"x":`+text+`,"a":2}`); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range refused {
		m.Heap = base
		if _, err := m.Decode("R", `{"x":`+text+`,"a":2}`); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// TestCutShort cuts each text at every byte: the decoder must see the end.
func TestCutShort(t *testing.T) {
	for _, c := range decodes {
		m := codectest.NewMemory(t, everything)
		base := m.Heap
		for n := range len(c.text) {
			m.Heap = base
			// What lies behind must not matter: the rest of the text does.
			copy(m.Mem[base:], c.text)
			v, err := m.Decode(c.typ, c.text[:n])
			if err != nil {
				continue
			}
			if _, err := m.Encode(c.typ, v); err != nil {
				t.Errorf("%s %s: %v", c.typ, c.text[:n], err)
			}
		}
	}
}

// FuzzJSON agrees with encoding/json on what is JSON, but for UTF-8, lone
// surrogates and depth, in which it is stricter.
func FuzzJSON(f *testing.F) {
	for _, text := range accepted {
		f.Add([]byte(text))
	}
	for _, text := range refused {
		f.Add([]byte(text))
	}
	m := codectest.NewMemory(f, "J = Json")
	base := m.Heap
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 10_000 {
			return
		}
		m.Heap, m.Decoder = base, codec.Decoder{}
		v, err := m.Decode("J", string(text))
		valid := json.Valid(text)
		if err == nil && !valid {
			t.Fatalf("%q was accepted", text)
		}
		if err != nil {
			if valid && utf8.Valid(text) && !strings.Contains(string(text), `\u`) && strings.Count(string(text), "[")+strings.Count(string(text), "{") <= codec.MaxDepth {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		out, err := m.Encode("J", v)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := compactJSON(text); err != nil || string(b) != out {
			t.Fatalf("%q became %q, not %q (%v)", text, out, b, err)
		}
	})
}

// FuzzValue reads any text as every type: what is accepted is written as what
// reads back as the same value.
func FuzzValue(f *testing.F) {
	names := map[string]byte{}
	m := codectest.NewMemory(f, everything)
	var order []string
	for _, c := range decodes {
		if _, ok := names[c.typ]; !ok {
			names[c.typ] = byte(len(order))
			order = append(order, c.typ)
		}
		f.Add(names[c.typ], []byte(c.text))
	}
	for _, c := range refusals {
		f.Add(names[c.typ], []byte(c.text))
	}
	base := m.Heap
	f.Fuzz(func(t *testing.T, which byte, text []byte) {
		if int(which) >= len(order) || len(text) > 10_000 {
			return
		}
		typ := order[which]
		m.Heap, m.Decoder = base, codec.Decoder{}
		v, err := m.Decode(typ, string(text))
		// The decoder has learned something now, which must not matter.
		same, again := m.Decode(typ, string(text))
		if fmt.Sprint(err) != fmt.Sprint(again) || err == nil && m.Plan(typ).Compare(m.Mem, v, same) != 0 {
			t.Fatalf("%s %q: %v, then %v", typ, text, err, again)
		}
		if err != nil {
			if err.Error() == "" || strings.Contains(err.Error(), "the default") {
				t.Fatalf("%s %q: %v", typ, text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%s %q was accepted", typ, text)
		}
		out, err := m.Encode(typ, v)
		if err != nil {
			if typ == "Da" {
				return
			}
			t.Fatalf("%s %q: %v", typ, text, err)
		}
		if !json.Valid([]byte(out)) {
			t.Fatalf("%s %q became %q", typ, text, out)
		}
		w, err := m.Decode(typ, out)
		if err != nil || m.Plan(typ).Compare(m.Mem, v, w) != 0 {
			t.Fatalf("%s %q became %q, which is another value (%v)", typ, text, out, err)
		}
		if again, _ := m.Encode(typ, w); again != out {
			t.Fatalf("%s %q: %q, then %q", typ, text, out, again)
		}
	})
}
