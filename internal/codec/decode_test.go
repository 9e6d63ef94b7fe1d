package codec_test

import (
	"fmt"
	"strings"
	"testing"

	"towpath.dev/internal/codec/codectest"
)

const everything = `
	Grade = New | Used | Refurbished
	Id = wrap String
	Num = wrap Int
	MaybeInt = wrap Int?
	B = Bool
	I = Int
	F = Float
	D = Decimal
	M = Money
	S = String
	Du = Duration
	In = Instant
	Da = Date
	J = Json
	Ints = List<Int>
	Bools = List<Bool>
	Strings = List<String>
	Lists = List<List<Int>>
	OptInt = Int?
	OptString = String?
	OptList = List<Int?>
	Pair = (Int, String)
	Unit = ()
	Offer = { id: Id, price: Int, note: String?, days: Int = 3, tags: List<String> = ["a", "b"], grade: Grade = "Used" }
	Tree = { value: Int, left: Tree?, right: Tree? }
	Rose = { kids: List<Rose> }
	Shape = Dot | Circle(radius: Float) | Box(width: Int, height: Int = 7, label: String?)
	Prices = Map<String, Int>
	ByNum = Map<Num, String>
	ByGrade = Map<Grade, Int>
	ByDate = Map<Date, Int>
	ByPair = Map<(Int, Int), String>
	Set = Set<Int>
	Words = Set<String>
	Wrapped = { m: MaybeInt, n: Num }
	Long = { aVeryLongMemberNameIndeed: Int, aVeryLongMemberNameIndeeD: Int, short: Int, exactlyFourteen: Int, thirteenChars: Int }
`

// decodes are texts with what they are written as again: the same when empty.
var decodes = []struct{ typ, text, again string }{
	{"B", "true", ""}, {"B", " false\n", "false"},
	{"I", "0", ""}, {"I", "-0", "0"}, {"I", "7", ""}, {"I", "-42", ""}, {"I", "12345678", ""}, {"I", "123456789", ""},
	{"I", "9223372036854775807", ""}, {"I", "-9223372036854775808", ""}, {"I", " \t\r\n 5 ", "5"}, {"I", "1000000000000000000", ""},
	{"F", "0", ""}, {"F", "-0", "0"}, {"F", "1.5", ""}, {"F", "1e2", "100"}, {"F", "0.1", ""}, {"F", "1e-7", ""}, {"F", "1e21", "1e+21"},
	{"F", "123456789012345678901234567890", "1.2345678901234568e+29"}, {"F", "5e-324", ""}, {"F", "1.7976931348623157e308", "1.7976931348623157e+308"},
	{"F", "2.2250738585072011e-308", "2.225073858507201e-308"}, {"F", "9007199254740993", "9007199254740992"}, {"F", "0.30000000000000004", ""}, {"F", "1e-400", "0"},
	{"F", "12345678.5", ""}, {"F", "1.23456789", ""}, {"F", "100000000", ""}, {"F", "-1234567.12345678", ""},
	{"D", `"19.99"`, ""}, {"D", "19.99", `"19.99"`}, {"D", "1e3", `"1000"`}, {"D", `"2.50"`, `"2.5"`}, {"D", `"-0.0"`, `"0"`}, {"D", `-0.125`, `"-0.125"`},
	{"D", `"1234567890123456789012345678901234"`, ""}, {"D", `12345678901234567.5`, `"12345678901234567.5"`}, {"D", `"0.0000000000000000000000000000000001"`, ""},
	{"D", `"\u0031.5"`, `"1.5"`}, {"D", `0.123456789`, `"0.123456789"`}, {"D", ` "1"`, `"1"`}, {"D", `1.12345678e1`, `"11.2345678"`},
	{"M", `{"amount":"19.99","currency":"USD"}`, ""}, {"M", `{"amount":19.99,"currency":"USD"}`, `{"amount":"19.99","currency":"USD"}`},
	{"M", ` { "currency" : "EUR" , "more": [1], "amount" : -5 } `, `{"amount":"-5.00","currency":"EUR"}`}, {"M", `{"amount":"-5","currency":"JPY"}`, ""},
	{"M", `{"amount":"123456789012345678901234567890.1234","currency":"ZZZ"}`, ""}, {"M", `{"amount":"-8796093022207","currency":"XAF"}`, ""},
	{"M", `{"amount":"-99999999999999.00","currency":"AAA"}`, ""}, {"M", `{"amount":"1.500","currency":"BHD"}`, `{"amount":"1.500","currency":"BHD"}`}, {"M", `{"amount":"0.0000000000000001","currency":"BTC"}`, ""},
	{"S", `""`, ""}, {"S", `"abc"`, ""}, {"S", `"a longer string that takes more than one word"`, ""}, {"S", `"é€😀"`, ""}, {"S", `"\u00e9\u20ac\ud83d\ude00"`, `"é€😀"`},
	{"S", `"\"\\\/\b\f\n\r\t\u0001"`, `"\"\\/\b\f\n\r\t\u0001"`}, {"S", `"\u0000"`, ""}, {"S", `"12345678"`, ""}, {"S", "\"\x7f\"", ""}, {"S", `"12345678\n12345678"`, ""},
	{"Du", `"1h30m"`, ""}, {"Du", `"50ms"`, ""}, {"Du", `"-1.5s"`, `"-1s500ms"`}, {"Du", `"90m"`, `"1h30m"`}, {"Du", `"0s"`, ""}, {"Du", `"3d"`, ""},
	{"Du", `"106751d23h47m16s854ms775us807ns"`, ""}, {"Du", `"-106751d23h47m16s854ms775us808ns"`, ""}, {"Du", `"0.5us"`, `"500ns"`}, {"Du", `"0ns"`, `"0s"`},
	{"In", `"2026-01-31T09:30:00Z"`, ""}, {"In", `"2026-01-31T09:30:00.123456789Z"`, ""}, {"In", `"2026-01-31T09:30:00.5+02:00"`, `"2026-01-31T07:30:00.5Z"`},
	{"In", `"1969-12-31T23:59:59.999Z"`, ""}, {"In", `"1677-09-21T00:12:43.145224192Z"`, ""}, {"In", `"2262-04-11T23:47:16.854775807Z"`, ""},
	{"Da", `"2026-01-31"`, ""}, {"Da", `"0000-02-29"`, ""}, {"Da", `"9999-12-31"`, ""}, {"Da", `"1970-01-01"`, ""},
	{"J", ` { "a" : [ 1 , "x y" , null ] } `, `{"a":[1,"x y",null]}`}, {"J", `"\ud83d\ude00 \/"`, ""}, {"J", "1.0", ""}, {"J", "null", ""},
	{"Ints", "[]", ""}, {"Ints", "[ ]", "[]"}, {"Ints", "[1,2,3]", ""}, {"Ints", " [ 1 , 2 ] ", "[1,2]"}, {"Bools", "[true,false,true]", ""},
	{"Lists", "[[],[1],[1,2]]", ""}, {"Strings", `["a","b\n"]`, ""},
	{"OptInt", "null", ""}, {"OptInt", "5", ""}, {"OptString", "null", ""}, {"OptString", `""`, ""}, {"OptList", "[1,null,3]", ""},
	{"Pair", `[1,"a"]`, ""}, {"Unit", "[]", ""}, {"Unit", "[ ]", "[]"},
	{"Offer", `{"id":"x","price":1}`, `{"id":"x","price":1,"days":3,"tags":["a","b"],"grade":"Used"}`},
	{"Offer", `{"price":1,"grade":"New","tags":[],"days":9,"note":"hm","id":"x"}`, `{"id":"x","price":1,"note":"hm","days":9,"tags":[],"grade":"New"}`},
	{"Offer", `{"id":"x","what":{"a":[1,{"b":"}"}]},"price":1,"note":null,"else":"\"" }`, `{"id":"x","price":1,"days":3,"tags":["a","b"],"grade":"Used"}`},
	{"Offer", `{"\u0069d":"x","price":1}`, `{"id":"x","price":1,"days":3,"tags":["a","b"],"grade":"Used"}`},
	{"Tree", `{"value":1,"left":{"value":2},"right":{"value":3,"left":{"value":4}}}`, ""}, {"Tree", `{"value":1,"left":null}`, `{"value":1}`},
	{"Shape", `{"type":"Dot"}`, ""}, {"Shape", `{"type":"Circle","radius":2.5}`, ""}, {"Shape", `{"radius":2.5,"type":"Circle"}`, `{"type":"Circle","radius":2.5}`},
	{"Shape", `{ "type" : "Box", "width":1, "label":"x" }`, `{"type":"Box","width":1,"height":7,"label":"x"}`}, {"Shape", `{"x":[{"type":1}],"type":"Dot","y":0}`, `{"type":"Dot"}`},
	{"Shape", `{"ty\u0070e":"Dot"}`, `{"type":"Dot"}`}, {"Shape", `{"type":"D\u006ft"}`, `{"type":"Dot"}`}, {"Shape", `{"type": "Dot" }`, `{"type":"Dot"}`},
	{"Grade", `"Used"`, ""}, {"Grade", ` "Refurbished"`, `"Refurbished"`}, {"Grade", `"\u004eew"`, `"New"`},
	{"Prices", `{}`, ""}, {"Prices", `{"b":2,"a":1}`, `{"a":1,"b":2}`}, {"Prices", `{"c":3,"":0,"a":1,"b":2,"d":4,"ab":5}`, `{"":0,"a":1,"ab":5,"b":2,"c":3,"d":4}`},
	{"ByNum", `{"10":"x","9":"y","-1":"z"}`, `{"-1":"z","9":"y","10":"x"}`}, {"ByGrade", `{"Used":1,"New":2}`, `{"New":2,"Used":1}`}, {"ByDate", `{"2026-01-02":1,"2026-01-01":2}`, `{"2026-01-01":2,"2026-01-02":1}`},
	{"ByPair", `[[[2,1],"b"],[[1,2],"a"]]`, `[[[1,2],"a"],[[2,1],"b"]]`}, {"ByPair", "[]", ""},
	{"Set", "[3,1,2]", "[1,2,3]"}, {"Set", "[]", ""}, {"Words", `["b","a"]`, `["a","b"]`},
	{"MaybeInt", "null", ""}, {"MaybeInt", "4", ""}, {"Wrapped", `{"n":1}`, ""}, {"Wrapped", `{"m":2,"n":1}`, ""},
	{"Long", `{"aVeryLongMemberNameIndeed":1,"aVeryLongMemberNameIndeeD":2,"short":3,"exactlyFourteen":4,"thirteenChars":5}`, ""},
	{"Long", `{"aVeryLongMemberNameIndeeD":2,"thirteenChars":5,"aVeryLongMemberNameIndeed":1,"exactlyFourteen":4,"short":3}`, `{"aVeryLongMemberNameIndeed":1,"aVeryLongMemberNameIndeeD":2,"short":3,"exactlyFourteen":4,"thirteenChars":5}`},
}

func TestDecode(t *testing.T) {
	for _, c := range decodes {
		m := codectest.NewMemory(t, everything)
		v, err := m.Decode(c.typ, c.text)
		if err != nil {
			t.Errorf("%s %s: %v", c.typ, c.text, err)
			continue
		}
		want := c.again
		if want == "" {
			want = c.text
		}
		if got, err := m.Encode(c.typ, v); err != nil || got != want {
			t.Errorf("%s %s: got %s %v, want %s", c.typ, c.text, got, err, want)
			continue
		}
		w, err := m.Decode(c.typ, want)
		if err != nil || m.Plan(c.typ).Compare(m.Mem, v, w) != 0 {
			t.Errorf("%s %s: the value read again differs (%v)", c.typ, want, err)
		}
	}
}

var refusals = []struct{ typ, text, want string }{
	{"I", "", "at $: expected Int, found the end of the text"},
	{"I", "1.0", "at $: expected Int, found number 1.0"},
	{"I", "1e2", "at $: expected Int, found number 1e2"},
	{"I", `"12"`, `at $: expected Int, found string "12"`},
	{"I", "01", "at $: expected Int, found number 01"},
	{"I", "-", "at $: expected Int, found number -"},
	{"I", "+1", "at $: expected Int, found `+`"},
	{"I", "9223372036854775808", "at $: expected Int of 64 bits, found number 9223372036854775808"},
	{"I", "-9223372036854775809", "at $: expected Int of 64 bits, found number -9223372036854775809"},
	{"I", "123456789012345678901234567890", "at $: expected Int of 64 bits, found number 123456789012345678901234567890"},
	{"I", "1 2", "at $: expected the end of the text, found number 2"},
	{"I", "null", "at $: expected Int, found null"},
	{"I", "\x00", `at $: expected Int, found the control character "\x00"`},
	{"F", "1e999", "at $: expected Float within 1.7e308 of zero, found number 1e999"},
	{"F", "NaN", "at $: expected Float, found NaN"},
	{"F", "1.", "at $: expected a digit after the point, found number 1."},
	{"F", ".5", "at $: expected Float, found `.`"},
	{"F", "1e", "at $: expected a digit in the exponent, found number 1e"},
	{"F", "00", "at $: expected a number, found number 00"},
	{"F", "-01.5", "at $: expected a number, found number -01.5"},
	{"D", `"1.2.3"`, `at $: expected Decimal, found string "1.2.3"`},
	{"D", `""`, `at $: expected Decimal, found string ""`},
	{"D", `" 1"`, `at $: expected Decimal, found string " 1"`},
	{"D", `"12345678901234567890123456789012345"`, `at $: expected Decimal of at most 34 digits, found string "12345678901234567890123456789012345"`},
	{"D", `true`, `at $: expected Decimal, found true`},
	{"M", `{"amount":"1"}`, "at $.currency: expected Money, found no such member"},
	{"M", `{"currency":"USD"}`, "at $.amount: expected Money, found no such member"},
	{"M", `{"amount":"1","currency":"usd"}`, `at $.currency: expected a currency such as "USD", found string "usd"`},
	{"M", `{"amount":"1","amount":"1.00","currency":"USD"}`, `at $: expected one member "amount", found a second`},
	{"M", `{"amount":"x","currency":"USD"}`, `at $.amount: expected Decimal, found string "x"`},
	{"M", `"19.99 USD"`, `at $: expected Money, found string "19.99 USD"`},
	{"S", `"abc`, "at $: expected the string's end, found the end of the text"},
	{"S", `"abc\`, "at $: expected the string's end, found the end of the text"},
	{"S", `"\`, "at $: expected the string's end, found the end of the text"},
	{"S", "\"a\nb\"", `at $: expected a character or an escape in a string, found the control character "\n"`},
	{"S", `"\x"`, "at $: expected an escape, found `\\x`"},
	{"S", `"\ud800"`, `at $: expected an escape, found the lone surrogate \ud800`},
	{"S", `"\udc00\ud800"`, `at $: expected an escape, found the lone surrogate \udc00`},
	{"S", `"\ud800\u0041"`, `at $: expected an escape, found the lone surrogate \ud800`},
	{"S", "\"\xff\"", "at $: expected UTF-8, found another byte in a string"},
	{"S", "\"\xed\xa0\x80\"", "at $: expected UTF-8, found another byte in a string"},
	{"S", "12", "at $: expected String, found number 12"},
	{"Du", `"1x"`, `at $: expected Duration such as "1h30m", found string "1x"`},
	{"Du", `"1m1h"`, `at $: expected Duration such as "1h30m", found string "1m1h"`},
	{"Du", `"1.5m3s"`, `at $: expected Duration such as "1h30m", found string "1.5m3s"`},
	{"Du", `"0.3ns"`, `at $: expected Duration such as "1h30m", found string "0.3ns"`},
	{"Du", `"106751d23h47m16s854ms775us808ns"`, `at $: expected Duration such as "1h30m", found string "106751d23h47m16s854ms775us808ns"`},
	{"Du", `""`, `at $: expected Duration such as "1h30m", found string ""`},
	{"Du", `5`, `at $: expected Duration such as "1h30m", found number 5`},
	{"In", `"2026-02-30T00:00:00Z"`, `at $: expected Instant such as "2026-01-31T09:30:00Z", found string "2026-02-30T00:00:00Z"`},
	{"In", `"2026-01-31T09:30:60Z"`, `at $: expected Instant such as "2026-01-31T09:30:00Z", found string "2026-01-31T09:30:60Z"`},
	{"In", `"2262-04-11T23:47:16.854775808Z"`, `at $: expected Instant such as "2026-01-31T09:30:00Z", found string "2262-04-11T23:47:16.854775808Z"`},
	{"In", `"1677-09-21T00:12:43.145224191Z"`, `at $: expected Instant such as "2026-01-31T09:30:00Z", found string "1677-09-21T00:12:43.145224191Z"`},
	{"Da", `"2026-1-31"`, `at $: expected Date such as "2026-01-31", found string "2026-1-31"`},
	{"Da", `"2025-02-29"`, `at $: expected Date such as "2026-01-31", found string "2025-02-29"`},
	{"Ints", "[1,]", "at $[1]: expected Int, found `]`"},
	{"Ints", "[1 2]", "at $: expected `,` or `]`, found number 2"},
	{"Ints", "[", "at $[0]: expected Int, found the end of the text"},
	{"Ints", "[1", "at $: expected `,` or `]`, found the end of the text"},
	{"Ints", "{}", "at $: expected List<Int>, found an object"},
	{"Lists", "[[1],[2,true]]", "at $[1][1]: expected Int, found true"},
	{"Pair", `[1]`, "at $: expected `,` and an element more: (Int, String), found `]`"},
	{"Pair", `[1,"a",2]`, "at $: expected `]` after the last element of (Int, String), found `,`"},
	{"Unit", "[1]", "at $: expected `]` after the last element of (), found number 1"},
	{"Offer", `{"id":"x"}`, "at $.price: expected Int, found no such member"},
	{"Offer", `{}`, "at $.id: expected String, found no such member"},
	{"Offer", `{"id":"x","price":"1"}`, `at $.price: expected Int, found string "1"`},
	{"Offer", `{"id":"x","price":1,"id":"y"}`, `at $: expected one member "id", found a second`},
	{"Offer", `{"id":"x","id":"y","price":1}`, `at $: expected one member "id", found a second`},
	{"Offer", `{"id":"x","price":1,}`, "at $: expected a member's name, found `}`"},
	{"Offer", `{"id":"x" "price":1}`, "at $: expected `,` or `}`, found string \"price\""},
	{"Offer", `{"id" "x"}`, "at $: expected `:`, found string \"x\""},
	{"Offer", `{"id":"x","price":1,"tags":["a",2]}`, "at $.tags[1]: expected String, found number 2"},
	{"Offer", `{"id":"x","price":1,"grade":"Old"}`, `at $.grade: expected Grade: "New", "Used", "Refurbished", found string "Old"`},
	{"Offer", `{"id":"x","price":1,"more":[1,]}`, "at $: expected a value, found `]`"},
	{"Offer", `{"id":"x","price":1`, "at $: expected `,` or `}`, found the end of the text"},
	{"Offer", `{id:"x"}`, "at $: expected a member's name, found id"},
	{"Shape", `{}`, `at $.type: expected Shape: "Dot", "Circle", "Box", found no such member`},
	{"Shape", `{"a":1}`, `at $.type: expected Shape: "Dot", "Circle", "Box", found no such member`},
	{"Shape", `{"type":"Line"}`, `at $.type: expected Shape: "Dot", "Circle", "Box", found string "Line"`},
	{"Shape", `{"type":"Circle"}`, "at $.radius: expected Float, found no such member"},
	{"Shape", `{"type":"Dot","type":"Dot"}`, `at $: expected one member "type", found a second`},
	{"Shape", `{"a":1,"type":"Dot","type":"Dot"}`, `at $: expected one member "type", found a second`},
	{"Shape", `"Dot"`, `at $: expected Shape, found string "Dot"`},
	{"Prices", `{"a":1,"a":2}`, `at $: expected a key once: Map<String, Int>, found twice "a"`},
	{"Prices", `{"a":1,"b":"x y"}`, `at $.b: expected Int, found string "x y"`},
	{"Prices", `{"a b":true}`, `at $["a b"]: expected Int, found true`},
	{"ByNum", `{"01":"x"}`, `at $: expected Int in a member's name, found string "01"`},
	{"ByPair", `[[[1,2],"a"],[[1,2],"b"]]`, `at $: expected a key once: Map<(Int, Int), String>, found twice [1,2]`},
	{"ByPair", `[[[1,2],"a"],[[1,"2"],"b"]]`, `at $[1][0][1]: expected Int, found string "2"`},
	{"Set", "[1,2,1]", "at $: expected an element once: Set<Int>, found twice 1"},
	{"J", `{"a":1,}`, "at $: expected a member's name, found `}`"},
	{"J", `"\ud800"`, `at $: expected an escape, found the lone surrogate \ud800`},
	{"Rose", strings.Repeat(`{"kids":[`, 65) + strings.Repeat(`]}`, 65), "at $" + strings.Repeat(".kids[0]", 64) + ": expected at most 128 levels, found one more"},
	{"J", strings.Repeat(`[`, 129) + strings.Repeat(`]`, 129), "at $: expected at most 128 levels, found one more"},
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range refusals {
		m := codectest.NewMemory(t, everything)
		if _, err := m.Decode(c.typ, c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s %s:\n got %v\nwant %s", c.typ, c.text, err, c.want)
		}
	}
}

func TestStrict(t *testing.T) {
	m := codectest.NewMemory(t, everything)
	m.Decoder.Strict = true
	for _, c := range []struct{ typ, text, want string }{
		{"Tree", `{"value":1,"size":2}`, `at $: expected a member of Tree, found "size"`},
		{"Shape", `{"x":0,"type":"Dot"}`, `at $: expected a member of Shape, found "x"`},
		{"Shape", `{"type":"Dot","x":0}`, `at $: expected a member of Shape, found "x"`},
		{"Shape", `{"radius":1,"type":"Circle"}`, `<nil>`},
	} {
		if _, err := m.Decode(c.typ, c.text); fmt.Sprint(err) != c.want {
			t.Errorf("%s %s: got %v, want %s", c.typ, c.text, err, c.want)
		}
	}
}

// TestManyMembers has a record with more fields than a word has bits.
func TestManyMembers(t *testing.T) {
	var fields, members []string
	for i := range 150 {
		fields = append(fields, fmt.Sprintf("f%d: Int", i))
		members = append(members, fmt.Sprintf(`"f%d":%d`, i, i))
	}
	m := codectest.NewMemory(t, "Wide = { "+strings.Join(fields, ", ")+" }")
	text := "{" + strings.Join(members, ",") + "}"
	v, err := m.Decode("Wide", text)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := m.Encode("Wide", v); got != text {
		t.Errorf("got %s", got)
	}
	members[149], members[70] = members[70], members[149]
	if v, err = m.Decode("Wide", "{"+strings.Join(members, ",")+"}"); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.Encode("Wide", v); got != text {
		t.Errorf("in another order: got %s", got)
	}
	for _, c := range []struct{ text, want string }{
		{"{" + strings.Join(append(members, members[100]), ",") + "}", `at $: expected one member "f100", found a second`},
		{"{" + strings.Join(members[:149], ",") + "}", `at $.f70: expected Int, found no such member`},
	} {
		if _, err := m.Decode("Wide", c.text); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
