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
	for _, text := range codectest.Accepted {
		check(text, true)
	}
	for _, text := range codectest.Refused {
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
	for _, text := range codectest.Accepted {
		m.Heap = base
		if _, err := m.Decode("R", `{"x":`+text+`,"a":2}`); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range codectest.Refused {
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
	for _, text := range codectest.Accepted {
		f.Add([]byte(text))
	}
	for _, text := range codectest.Refused {
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
