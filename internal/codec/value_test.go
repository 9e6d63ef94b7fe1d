package codec_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/codec/codectest"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/native"
)

// TestAgainstEncodingJSON takes random Go values through memory and back.
func TestAgainstEncodingJSON(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	m := codectest.NewMemory(t, offersSchema)
	base := m.Heap
	alphabet := []string{"a", "Z", "0", `"`, `\`, "\n", "\x01", "é", "€", "😀", "<", "&", "\u2028", " ", "/"}
	text := func() string {
		var b strings.Builder
		for range rnd.IntN(20) {
			b.WriteString(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	number := func() int { return int(rnd.Uint64()) >> rnd.IntN(64) }
	float := func() float64 {
		for {
			if f := math.Float64frombits(rnd.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
				return []float64{f, float64(number()) / 64, math.Round(rnd.NormFloat64()*1e4) / 100}[rnd.IntN(3)]
			}
		}
	}
	for range 2000 {
		in := goRequest{Shopper: goShopper{text(), number(), number(), float()}, Offers: []goOffer{}}
		for range rnd.IntN(5) {
			in.Offers = append(in.Offers, goOffer{
				ID: text(), Condition: []string{"new", "used", "refurbished"}[rnd.IntN(3)],
				Price: number(), Shipping: number(), Days: number(), Rating: float(), Stock: number(),
			})
		}
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(2) == 0 { // members in another order
			var v any
			d := json.NewDecoder(strings.NewReader(string(body)))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			body, _ = json.MarshalIndent(v, "", strings.Repeat(" ", rnd.IntN(10)))
		}
		m.Heap = base
		v, err := m.Decode("Request", string(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		out, err := m.Encode("Request", v)
		if err != nil {
			t.Fatal(err)
		}
		var back goRequest
		if err := json.Unmarshal([]byte(out), &back); err != nil || !reflect.DeepEqual(in, back) {
			t.Fatalf("%s\nbecame %s (%v)", body, out, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	m := codectest.NewMemory(t, "F = Float\nI = Int\nD = Decimal\nM = Money")
	base := m.Heap
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte('0' + byte(rnd.IntN(10)))
		}
		return b.String()
	}
	for range 20_000 {
		whole := strings.TrimLeft(digits(rnd.IntN(20)), "0")
		if whole == "" {
			whole = "0"
		}
		text := []string{"", "-"}[rnd.IntN(2)] + whole
		m.Heap = base
		if v, err := m.Decode("I", text); true {
			want, bad := strconv.ParseInt(text, 10, 64)
			if (err == nil) != (bad == nil) || err == nil && int64(v) != want {
				t.Fatalf("Int %s: %d %v", text, int64(v), err)
			}
		}
		if rnd.IntN(3) > 0 {
			text += "." + digits(1+rnd.IntN(20))
		}
		if rnd.IntN(3) == 0 {
			text += "e" + strconv.Itoa(rnd.IntN(60)-30)
		}
		m.Heap = base
		v, err := m.Decode("F", text)
		if want, _ := strconv.ParseFloat(text, 64); err != nil || v != math.Float64bits(want) {
			t.Fatalf("Float %s: %v %v", text, math.Float64frombits(v), err)
		}
		if out, err := m.Encode("F", v); err != nil {
			t.Fatal(err)
		} else if again, _ := strconv.ParseFloat(out, 64); again != math.Float64frombits(v) {
			t.Fatalf("Float %s was written %s", text, out)
		}
		want, bad := decimal.Parse(text)
		v, err = m.Decode("D", text)
		if (err == nil) != (bad == nil) {
			t.Fatalf("Decimal %s: %v, %v", text, err, bad)
		}
		if err != nil {
			continue
		}
		if got, ok := codec.LoadDecimal(m.Mem, v); !ok || got != want {
			t.Fatalf("Decimal %s: %s", text, got)
		}
		v, err = m.Decode("M", `{"amount":"`+text+`","currency":"EUR"}`)
		if got, currency, ok := codec.LoadMoney(m.Mem, v); err != nil || !ok || got != want || currency != abi.CurrencyCode("EUR") {
			t.Fatalf("Money %s: %s %v", text, got, err)
		}
		if out, _ := m.Encode("M", v); out != fmt.Sprintf(`{"amount":"%s","currency":"EUR"}`, native.AppendAmount(nil, want, "EUR")) {
			t.Fatalf("Money %s was written %s", text, out)
		}
	}
}

func TestTimes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	m := codectest.NewMemory(t, "Du = Duration\nIn = Instant\nDa = Date")
	base := m.Heap
	for range 20_000 {
		m.Heap = base
		ns := int64(rnd.Uint64()) >> rnd.IntN(64)
		at := time.Unix(0, ns)
		zone := time.FixedZone("", (rnd.IntN(2*14*60)-14*60)*60)
		for _, text := range []string{at.UTC().Format(time.RFC3339Nano), at.In(zone).Format(time.RFC3339Nano)} {
			v, err := m.Decode("In", `"`+text+`"`)
			if err != nil || int64(v) != ns {
				t.Fatalf("Instant %s: %d %v, want %d", text, int64(v), err, ns)
			}
		}
		if got := string(codec.AppendInstant(nil, ns)); got != at.UTC().Format("2006-01-02T15:04:05.999999999Z") {
			t.Fatalf("Instant %d was written %s", ns, got)
		}
		if ns/1e9/3600 != 0 { // Go has no days
			continue
		}
		v, err := m.Decode("Du", `"`+strings.ReplaceAll(time.Duration(ns).String(), "µ", "u")+`"`)
		if err != nil || int64(v) != ns {
			t.Fatalf("Duration %s: %d %v", time.Duration(ns), int64(v), err)
		}
		text := string(codec.AppendDuration(nil, ns))
		if d, err := time.ParseDuration(text); err != nil || int64(d) != ns {
			t.Fatalf("Duration %d was written %s", ns, text)
		}
	}
	for day := int32(-719528); day <= 2932896; day += 97 { // the years 0000 to 9999
		m.Heap = base
		text := time.Unix(int64(day)*86400, 0).UTC().Format("2006-01-02")
		v, err := m.Decode("Da", `"`+text+`"`)
		if err != nil || int32(v) != day || string(codec.AppendDate(nil, day)) != text {
			t.Fatalf("Date %s: %d %v", text, int32(v), err)
		}
	}
	for day, want := range map[int32]string{-719529: "-0001-12-31", 2932897: "+10000-01-01", math.MaxInt32: "+5881580-07-11", math.MinInt32: "-5877641-06-23"} {
		if got := string(codec.AppendDate(nil, day)); got != want {
			t.Errorf("Date %d was written %s, want %s", day, got, want)
		}
		if _, err := m.Encode("Da", uint64(uint32(day))); err == nil {
			t.Errorf("Date %d has JSON", day)
		}
	}
}

// TestCompare has each type's values in ascending order.
func TestCompare(t *testing.T) {
	for typ, texts := range map[string][]string{
		"B": {"false", "true"}, "I": {"-5", "0", "3"}, "F": {"-1e300", "-1", "0", "1e-300", "2"}, "D": {`"-2"`, `"0.5"`, `"0.51"`, `"1e20"`, `"1e33"`},
		"M": {`{"amount":"9.00","currency":"EUR"}`, `{"amount":"1.00","currency":"USD"}`, `{"amount":"1.50","currency":"USD"}`},
		"S": {`""`, `"A"`, `"Z"`, `"a"`, `"ab"`, `"b"`, `"é"`, `"😀"`}, "Du": {`"-1s"`, `"0s"`, `"1s"`}, "Da": {`"1969-12-31"`, `"1970-01-01"`},
		"Ints": {"[]", "[1]", "[1,2]", "[2]"}, "Pair": {`[1,"b"]`, `[2,"a"]`, `[2,"b"]`}, "OptInt": {"null", "-1", "1"}, "OptString": {"null", `""`, `"a"`},
		"Grade": {`"New"`, `"Used"`, `"Refurbished"`}, "Shape": {`{"type":"Dot"}`, `{"type":"Circle","radius":1}`, `{"type":"Circle","radius":2}`, `{"type":"Box","width":0}`},
		"Tree":   {`{"value":1}`, `{"value":1,"right":{"value":9}}`, `{"value":1,"left":{"value":0}}`, `{"value":2}`},
		"Prices": {`{}`, `{"a":1}`, `{"a":1,"b":0}`, `{"a":2}`, `{"b":0}`}, "Set": {"[]", "[1]", "[1,2]", "[1,3]", "[2]"}, "ByPair": {"[]", `[[[1,2],"a"]]`, `[[[1,2],"b"]]`, `[[[1,3],"a"]]`},
	} {
		m := codectest.NewMemory(t, everything)
		var values []uint64
		for _, text := range texts {
			v, err := m.Decode(typ, text)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, v)
		}
		for i, a := range values {
			for j, b := range values {
				want := 0
				if i != j {
					want = map[bool]int{true: -1, false: 1}[i < j]
				}
				if got := m.Plan(typ).Compare(m.Mem, a, b); got != want {
					t.Errorf("%s: %s and %s compare as %d", typ, texts[i], texts[j], got)
				}
			}
		}
	}
	m := codectest.NewMemory(t, everything)
	nan := math.Float64bits(math.NaN())
	for _, c := range []struct {
		a, b uint64
		want int
	}{{nan, nan, 0}, {nan, math.Float64bits(math.Inf(1)), 1}, {math.Float64bits(-1), nan, -1}, {1 << 63, 0, 0}} {
		if got := m.Plan("F").Compare(m.Mem, c.a, c.b); got != c.want {
			t.Errorf("Floats %x and %x compare as %d", c.a, c.b, got)
		}
	}
}

// TestTrees has maps of every size up to a bound, in random order: the tree is
// balanced and in order.
func TestTrees(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for n := range 200 {
		m := codectest.NewMemory(t, "P = Map<Int, Int>")
		var in, out []string
		for i := range n {
			in = append(in, fmt.Sprintf(`"%d":%d`, i*3-100, i))
		}
		out = slices.Clone(in)
		rnd.Shuffle(n, func(i, j int) { in[i], in[j] = in[j], in[i] })
		v, err := m.Decode("P", "{"+strings.Join(in, ",")+"}")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Encode("P", v); err != nil || got != "{"+strings.Join(out, ",")+"}" {
			t.Fatalf("%d entries: %s %v", n, got, err)
		}
		if size := checkTree(t, m, uint32(v)); size != n {
			t.Fatalf("%d entries: size %d", n, size)
		}
	}
}

// checkTree checks sizes and balance below a node, and gives its size.
func checkTree(t *testing.T, m *codectest.Memory, at uint32) int {
	t.Helper()
	node := &m.Schema.Types[codectest.Type(m.Schema, "Node of Map<Int, Int>")]
	word := func(offset uint32) uint32 {
		return uint32(m.Mem[at+offset]) | uint32(m.Mem[at+offset+1])<<8 | uint32(m.Mem[at+offset+2])<<16 | uint32(m.Mem[at+offset+3])<<24
	}
	if word(0) == abi.NodeTip {
		return 0
	}
	fields := node.Ctors[abi.NodeBin].Fields
	left, right := checkTree(t, m, word(fields[3].Offset)), checkTree(t, m, word(fields[4].Offset))
	if size := int(word(fields[0].Offset)); size != left+right+1 {
		t.Fatalf("a node of size %d has sides of %d and %d", size, left, right)
	}
	if left > 3*right+1 || right > 3*left+1 {
		t.Fatalf("sides of %d and %d are not balanced", left, right)
	}
	return left + right + 1
}

func TestAppendRefuses(t *testing.T) {
	m := codectest.NewMemory(t, everything)
	for _, c := range []struct {
		typ  string
		v    uint64
		want string
	}{
		{"F", math.Float64bits(math.Inf(-1)), "at $: the Float -Inf has no JSON"},
		{"F", math.Float64bits(math.NaN()), "at $: the Float NaN has no JSON"},
		{"Da", uint64(uint32(4_000_000)), "at $: the Date +12921-08-18 lies outside the years 0000 to 9999"},
		{"S", (1<<20-2)<<32 | 5, "the memory at 1048574 holds no String"},
		{"Ints", 1<<32 | 1, "the memory at 0 holds no List<Int>"},
		{"Ints", 2048<<32 | 1<<31, "the memory at 2048 holds no List<Int>"},
		{"Offer", 0, "the memory at 0 holds no Offer"},
		{"Offer", 1 << 20, "the memory at 1048576 holds no Offer"},
		{"Grade", 3, "the memory at 3 holds no Grade"},
		{"D", 1<<62 | 1, "the memory at 1073741824 holds no Decimal"},
	} {
		if out, err := m.Encode(c.typ, c.v); err == nil || err.Error() != c.want {
			t.Errorf("%s %x: %s %v, want %s", c.typ, c.v, out, err, c.want)
		}
	}
}

// FuzzCorrupt writes whatever lies in memory: it may fail, but must end and
// read nothing outside.
func FuzzCorrupt(f *testing.F) {
	m := codectest.NewMemory(f, everything)
	for i := range m.Schema.Types {
		f.Add(i, uint64(1024), []byte("\x01\x00\x00\x00\x08\x04\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, id int, v uint64, mem []byte) {
		if id < 0 || id >= len(m.Schema.Types) || len(mem) > 1000 {
			return
		}
		region := make([]byte, 1024+len(mem)&^7)
		copy(region[1024:], mem)
		if out, err := m.Plans.Plan(abi.TypeID(id)).Append([]byte("x"), region, v); err != nil && string(out) != "x" {
			t.Fatalf("%v, but it wrote %q", err, out)
		}
	})
}
