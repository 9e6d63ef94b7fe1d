package native

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		text, part string
		from, want int64
	}{
		{"hello", "l", 0, 2}, {"hello", "l", 3, 3}, {"hello", "l", 4, -1}, {"hello", "", 9, 5},
		{"hello", "he", -4, 0}, {"", "", 0, 0}, {"", "a", 0, -1},
	} {
		if got := Find(c.text, c.part, c.from); got != c.want {
			t.Errorf("Find(%q, %q, %d) = %d, want %d", c.text, c.part, c.from, got, c.want)
		}
	}
}

// The numbers must never change: programs put customers into buckets by them.
func TestRandomIsFixed(t *testing.T) {
	for _, c := range []struct{ got, want int64 }{
		{RandomBits(0, "", 0), -1907322958244139312},
		{RandomBits(1, "shopper-17", 0), 3721537450107673860},
		{RandomBits(1, "shopper-17", 1), 1581647057147074064},
		{RandomBits(-1, "é", math.MaxInt64), 2773395879107520001},
		{Hash("a"), 198367012849983736},
		{Hash("shopper-17"), 2111789167514686419},
	} {
		if c.got != c.want {
			t.Errorf("got %d, want %d", c.got, c.want)
		}
	}
}

// The published test values of the two functions.
func TestParts(t *testing.T) {
	if got := mix(golden); got != 0xE220A8397B1DCDAF {
		t.Errorf("mix(golden) = %#x", got)
	}
	if got := fnv("a"); got != 0xAF63DC4C8601EC8C {
		t.Errorf("fnv(a) = %#x", got)
	}
}

func TestRandomIsSpread(t *testing.T) {
	var ones [64]int
	const n = 4096
	for i := range int64(n) {
		for bit := range ones {
			ones[bit] += int(uint64(RandomBits(7, "key", i)) >> bit & 1)
		}
	}
	for bit, count := range ones {
		if count < n/2-n/16 || count > n/2+n/16 {
			t.Errorf("bit %d is set %d times of %d", bit, count, n)
		}
	}
}

func TestReadFloat(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "-0": 0, "1.5": 1.5, "-1.5e3": -1500, "1E+2": 100, "1e-400": 0, "0.1": 0.1,
		"1.7976931348623157e308": math.MaxFloat64,
	} {
		if got, ok := ReadFloat(text); !ok || got != want {
			t.Errorf("ReadFloat(%q) = %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "+1", "01", ".5", "1.", "1e", "1e+", "0x1p3", "1_0", "Inf", "NaN", " 1", "1 ", "1e999"} {
		if f, ok := ReadFloat(text); ok {
			t.Errorf("ReadFloat(%q) = %v", text, f)
		}
	}
}

func TestZones(t *testing.T) {
	winter := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC).UnixNano()
	summer := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct {
		zone    string
		instant int64
		want    int64
	}{
		{"UTC", winter, 0}, {"Europe/Berlin", winter, 3600}, {"Europe/Berlin", summer, 7200},
		{"America/New_York", summer, -4 * 3600}, {"Asia/Kolkata", winter, 19800},
	} {
		if got, ok := ZoneOffset(c.instant, c.zone); !ok || got != c.want {
			t.Errorf("ZoneOffset(%d, %q) = %d, %v", c.instant, c.zone, got, ok)
		}
	}
	for _, name := range []string{"", "Local", "Europe", "Europe/", "Atlantis/Center", "../zone", "europe/berlin"} {
		if IsZone(name) {
			t.Errorf("%q is a zone", name)
		}
	}
}

func TestReadJSON(t *testing.T) {
	for text, want := range map[string]string{
		`null`: `null`, " [1, 2.50 ,{ \"a\" :\ttrue}]\n": `[1,2.50,{"a":true}]`, `"a b"`: `"a b"`,
		`{}`: `{}`, `[ ]`: `[]`, `{"a":1,"a":2}`: `{"a":1,"a":2}`, `"\ud83d\ude00"`: `"\ud83d\ude00"`,
		strings.Repeat("[", MaxJSONDepth) + strings.Repeat("]", MaxJSONDepth): strings.Repeat("[", MaxJSONDepth) + strings.Repeat("]", MaxJSONDepth),
	} {
		if got, ok := ReadJSON(text); !ok || got != want {
			t.Errorf("ReadJSON(%q) = %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "nul", "01", "[1,]", "[,]", "{1:2}", `{"a"}`, `{"a":1,}`, `"a`, `"\x"`, `"\ud800"`, `"\udc00"`, `"\ud800A"`,
		"\"\n\"", "1 2", "[", `"\u12"`, "\"\xff\"", strings.Repeat("[", MaxJSONDepth+1) + strings.Repeat("]", MaxJSONDepth+1),
	} {
		if got, ok := ReadJSON(text); ok {
			t.Errorf("ReadJSON(%q) = %q", text, got)
		}
	}
}

func TestJSONEnd(t *testing.T) {
	text := `[1,"a]",{"b":[true]}]`
	for _, c := range []struct{ from, want int64 }{{0, 21}, {1, 2}, {3, 7}, {8, 20}, {13, 19}} {
		if got, ok := JSONEnd(text, c.from); !ok || got != c.want {
			t.Errorf("JSONEnd(%q, %d) = %d, %v, want %d", text, c.from, got, ok, c.want)
		}
	}
	for _, from := range []int64{-1, 2, 21, math.MaxInt64} {
		if got, ok := JSONEnd(text, from); ok {
			t.Errorf("JSONEnd(%q, %d) = %d", text, from, got)
		}
	}
}

func TestQuoteJSON(t *testing.T) {
	for text, want := range map[string]string{
		"": `""`, "a\"b\\c": `"a\"b\\c"`, "\n\r\t\b\f\x00\x1f\x7f": `"\n\r\t\b\f\u0000\u001f` + "\x7f" + `"`, "é<😀": `"é<😀"`,
	} {
		got := QuoteJSON(text)
		if got != want {
			t.Errorf("QuoteJSON(%q) = %s, want %s", text, got, want)
		}
		if back, ok := UnquoteJSON(got); !ok || back != text {
			t.Errorf("UnquoteJSON(%s) = %q, %v", got, back, ok)
		}
	}
	if got, ok := UnquoteJSON(`"\u00e9\/\ud83d\ude00"`); !ok || got != "é/😀" {
		t.Errorf("UnquoteJSON = %q, %v", got, ok)
	}
	for _, text := range []string{"", `"`, `a`, `"a"b`, `"\ud800"`} {
		if got, ok := UnquoteJSON(text); ok {
			t.Errorf("UnquoteJSON(%s) = %q", text, got)
		}
	}
}

// FuzzJSON compares with encoding/json, which is laxer about surrogates and
// invalid UTF-8 and allows deeper nesting.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, 2.5e3, "x\u00e9\n"]}`, `[[], {}, null, true, false, -0]`, `"\ud83d\ude00"`, ` 1 `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		compact, ok := ReadJSON(text)
		if ok != IsJSON(text) {
			t.Fatalf("IsJSON(%q) is not %v", text, ok)
		}
		if !ok {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(text)); err != nil || want.String() != compact {
			t.Fatalf("ReadJSON(%q) = %q, encoding/json: %q, %v", text, compact, want.String(), err)
		}
		if end, ok := JSONEnd(compact, 0); !ok || end != int64(len(compact)) {
			t.Fatalf("JSONEnd(%q) = %d, %v", compact, end, ok)
		}
		var s string
		if compact[0] == '"' && json.Unmarshal([]byte(compact), &s) == nil {
			if got, ok := UnquoteJSON(compact); !ok || got != s {
				t.Fatalf("UnquoteJSON(%s) = %q, %v, want %q", compact, got, ok, s)
			}
		}
	})
}
