package filetable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is the manifest of testdata/rates.tow.
var program = sync.OnceValue(func() *artifact.Manifest {
	text, err := os.ReadFile("testdata/rates.tow")
	if err != nil {
		panic(err)
	}
	res, err := compile.Build(fstest.MapFS{"rates.tow": {Data: text}}, compile.Options{})
	if err != nil {
		panic(err)
	}
	if res.Diags.HasErrors() {
		panic(res.Diags.All[0].String())
	}
	return res.Manifest
})

// open opens a source in dir and binds operations, each "name" or "name: settings".
func open(t testing.TB, dir, src string, ops ...string) (*Source, []source.Caller, error) {
	t.Helper()
	text := "[source]\n" + src + "\n"
	for _, op := range ops {
		name, how, _ := strings.Cut(op, ": ")
		text += "[" + name + "]\n" + how + "\n"
	}
	file := settings.Parse("env/test.toml", []byte(text))
	table := file.Root.Table("source")
	s := Open(table, dir)
	t.Cleanup(func() { s.Close() })
	table.Done()
	var callers []source.Caller
	m := program()
	for _, op := range ops {
		name, _, _ := strings.Cut(op, ": ")
		i := slices.IndexFunc(m.Operations, func(o artifact.Operation) bool { return o.Name == name })
		if i < 0 {
			t.Fatalf("rates.tow has no operation %s", name)
		}
		table := file.Root.Table(name)
		callers = append(callers, s.Bind(source.Operation{Meta: &m.Operations[i], Schema: &m.Schema, Settings: table}))
		table.Done()
	}
	return s, callers, file.Err()
}

// ask asks a call, and gives the answer or ! and the error.
func ask(t testing.TB, c source.Caller, args string) string {
	t.Helper()
	return askWithin(t, context.Background(), c, args)
}

func askWithin(t testing.TB, ctx context.Context, c source.Caller, args string) string {
	t.Helper()
	got, times := "", 0
	c.Call(ctx, &source.Batch{Args: [][]byte{[]byte(args)}}, func(_ int, answer []byte, err error) {
		times++
		if got = string(answer); err != nil {
			got = "!" + err.Error()
		}
	})
	if times != 1 {
		t.Errorf("the call was answered %d times", times)
	}
	return got
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

const ratesCSV = `currency,rate,note,extra
EUR,1,,x
USD,1.0950,"a ""note"", long
and wide",y
GBP,0.84,,z
USD,1.1,,y
`

const fullCSV = "\ufeffid,name,weight,open,kind,day,at,ttl,price.amount,price.currency,list.price.amount,list.price.currency,spread.bid,spread.ask,tags,raw,code\r\n" +
	`1,"Ä",1.5e3,TRUE,Fixed,2026-01-31,2026-01-31T09:30:00+01:00,1h30m,19.9,EUR,25,EUR,1.1,1.2,"[""a"",""b""]","{""x"": null}",c` + "\r\n" +
	` 2 ,,-0, false ,Floating,1999-12-31,1970-01-01T00:00:00Z,-5ms,0,USD,,,,,[],0,` + "\r\n"

const ratesJSON = `{"rows": [
  {"currency": "EUR", "rate": "1", "meta": {"rank": 1}},
  {"currency": "USD", "rate": "1.0950"},
  {"rate" : "0.84", "currency": "GBP"},
  {"currency": "\u0055SD", "rate": 1.1}
], "byDay": {"EUR": {"rate": 1}, "USD": {"rate": 2, "x": [1]}}, "byId": {"1": 10, "2": 20}}`

// TestAnswers says what rows answer calls.
func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "rates.csv", ratesCSV)
	write(t, dir, "full.csv", fullCSV)
	write(t, dir, "spreads.csv", "spread.bid,spread.ask,name\n1.10,1.2,a\n1.5,,b\n")
	write(t, dir, "rates.json", ratesJSON)
	write(t, dir, "bare.json", `[{"id":1,"n":5},{"id":2},{"id":3,"n":null}]`)
	write(t, dir, "days.csv", "currency,date,rate\nEUR,2026-01-31,1\nEUR,2026-02-01,2\n,2026-01-31,3\n")
	for _, c := range []struct{ file, op, args, want string }{
		{"rates.csv", `rate: answer = "rate"`, `["EUR"]`, `"1"`},
		{"rates.csv", `rate: answer = "rate"`, `["USD"]`, "!failed: 2 rows of rates.csv have currency = USD; expected one"},
		{"rates.csv", `rate: answer = "rate"`, `["CHF"]`, "!failed: no row of rates.csv has currency = CHF; expected one. Where there need be none, let the operation return Decimal?"},
		{"rates.csv", `rate: answer = "rate"`, `[""]`, `!failed: no row of rates.csv has currency = ""; expected one. Where there need be none, let the operation return Decimal?`},
		{"rates.csv", `byCode`, `["GBP"]`, `{"currency":"GBP","rate":"0.84"}`},
		{"rates.csv", `find`, `["GBP"]`, `{"currency":"GBP","rate":"0.84"}`},
		{"rates.csv", `find`, `["CHF"]`, `null`},
		{"rates.csv", `find`, `["USD"]`, "!failed: 2 rows of rates.csv have currency = USD; expected one"},
		{"rates.csv", `list`, `["USD"]`, `[{"currency":"USD","rate":"1.0950","note":"a \"note\", long\nand wide"},{"currency":"USD","rate":"1.1"}]`},
		{"rates.csv", `list`, `["CHF"]`, `[]`},
		{"rates.csv", `every: `, `[]`, `[{"currency":"EUR","rate":"1"},{"currency":"USD","rate":"1.0950","note":"a \"note\", long\nand wide"},{"currency":"GBP","rate":"0.84"},{"currency":"USD","rate":"1.1"}]`},
		{"full.csv", `full`, `[1]`, `{"id":1,"name":"Ä","weight":1.5e3,"open":true,"kind":"Fixed","day":"2026-01-31","at":"2026-01-31T09:30:00+01:00","ttl":"1h30m",` +
			`"price":{"amount":"19.9","currency":"EUR"},"list.price":{"amount":"25","currency":"EUR"},"spread":{"bid":"1.1","ask":"1.2"},"tags":["a","b"],"raw":{"x": null},"code":"c"}`},
		{"full.csv", `full`, `[2]`, `{"id":2,"name":"","weight":-0,"open":false,"kind":"Floating","day":"1999-12-31","at":"1970-01-01T00:00:00Z","ttl":"-5ms",` +
			`"price":{"amount":"0","currency":"USD"},"tags":[],"raw":0}`},
		{"full.csv", `priced: answer = "list.price"`, `[1]`, `{"amount":"25","currency":"EUR"}`},
		{"full.csv", `priced: answer = "list.price"`, `[2]`, `null`},
		{"full.csv", `priced: answer = "list.price"`, `[3]`, `null`},
		{"full.csv", `raw: answer = "raw"`, `[1]`, `{"x": null}`},
		{"spreads.csv", `spread: answer = "name"`, `[{"bid":"1.1","ask":"1.2"}]`, `"a"`},
		{"spreads.csv", `spread: answer = "name"`, `[{"bid":"1.5"}]`, `"b"`},
		{"rates.csv", "raw: key = [\"rate\"]", `[1]`, "!unfit: rates.csv:3:5: expected Int, found number 1.0950"},
		{"days.csv", "on: answer = \"rate\"\nkey = [\"currency\", \"date\"]", `["EUR","2026-02-01"]`, `"2"`},
		{"days.csv", "on: answer = \"rate\"\nkey = [\"currency\", \"date\"]", `["EUR","2026-02-02"]`, "!failed: no row of days.csv has currency = EUR, date = 2026-02-02; expected one. Where there need be none, let the operation return Decimal?"},
		{"days.csv", `maybe: answer = "rate"`, `[null]`, `3`},
		{"days.csv", `raw: key = ["rate"]`, `[2]`, `{"currency":"EUR","date":"2026-02-01","rate":"2"}`},

		{"rates.json", "rate: rows = \"/rows\"\nanswer = \"rate\"", `["GBP"]`, `"0.84"`},
		{"rates.json", "rate: rows = \"/rows\"\nanswer = \"rate\"", `["USD"]`, "!failed: 2 rows of rates.json have currency = USD; expected one"},
		{"rates.json", "list: rows = \"/rows\"", `["USD"]`, `[{"currency": "USD", "rate": "1.0950"},{"currency": "\u0055SD", "rate": 1.1}]`},
		{"rates.json", "find: rows = \"/byDay\"", `["USD"]`, `{"rate": 2, "x": [1]}`},
		{"rates.json", "count: rows = \"/byId\"", `[2]`, `20`},
		{"rates.json", "raw: rows = \"/rows\"\nkey = [\"/meta/rank\"]", `[1]`, "!unfit: rates.json:3:3: the row's key: at $.id: expected Int, found no such member"},
		{"bare.json", "priced: answer = \"/n\"", `[1]`, `5`},
		{"bare.json", "priced: answer = \"/n\"", `[2]`, `null`},
		{"bare.json", "priced: answer = \"/n\"", `[3]`, `null`},
		{"bare.json", "count: answer = \"n\"", `[1]`, "!unfit: bare.json:1:17: the row has nothing at /n"},
	} {
		_, callers, err := open(t, dir, fmt.Sprintf("path = %q", c.file), c.op)
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		if got := ask(t, callers[0], c.args); got != c.want {
			t.Errorf("%s of %s%s is\n %s\nwant\n %s", c.op, c.file, c.args, got, c.want)
		}
	}
}

// TestWrongFiles says where in a file a mistake is.
func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, text, op, want string }{
		{"x.csv", "", `list`, "1:1: the file is empty; expected a line with the columns' names"},
		{"x.csv", "currency,rate,currency\n", `list`, "1:15: there is a second column `currency`"},
		{"x.csv", "currency,rat\n", `list`, "1:1: there is no column `rate`; did you mean `rat`? There is `currency`, `rat`"},
		{"x.csv", "curency,rate\n", `rate: answer = "rate"`, "1:1: there is no column `currency`; did you mean `curency`? There is `curency`, `rate`"},
		{"x.csv", "currency,rate\n", `rate`, "1:1: a row is no Decimal; name the column that is in `answer`"},
		{"x.csv", "currency,rate\nEUR,1\nUSD\n", `list`, "3:1: the line has another number of cells than the first"},
		{"x.csv", "currency,rate\nEUR,\"1\nUSD", `list`, "3:4: extraneous or missing \" in quoted-field"},
		{"x.csv", "currency,rate\nEUR,1\nUSD,1\"2\n", `list`, "3:6: bare \" in non-quoted-field"},
		{"x.csv", "currency,rate\nEUR,1\nÄÖ\xff,1\n", `list`, "3:3: it is not UTF-8; expected a file in UTF-8"},
		{"x.csv", "currency,rate\nEUR,1\nUSD,one\n", `list`, "3:5: expected Decimal, found string \"one\""},
		{"x.csv", "currency,rate\nEUR,\n", `list`, "2:5: the cell of `rate` is empty, and null does not do; expected Decimal"},
		{"x.csv", "currency,rate,rank\nEUR,1,\nUSD,1,1.5\n", `list`, "3:7: expected Int, found number 1.5"},
		{"x.csv", "id,price.amount\n1,2\n", `priced: answer = "price"`, "1:1: there is no column `price.currency`; there is `id`, `price.amount`"},
		{"x.csv", "id,price.amount,price.currency\n1,2,euro\n", `priced: answer = "price"`, "2:3: expected a currency such as \"USD\", found string \"euro\""},
		{"x.csv", "id,n\n 1,2\nx,3\n", `count: answer = "n"`, "3:1: expected Int, found x"},
		{"x.json", "[\n {\"id\": 1,}]", `raw`, "2:11: expected a member's name, found `}`"},
		{"x.json", "[{\"id\": 1}, {\"id\": \"2\"}]", `raw`, "1:13: the row's key: at $.id: expected Int, found string \"2\""},
		{"x.json", "[{\"id\": 1},\n {\"id\": 2, \"id\": 2}]", `raw`, "2:2: expected one member \"id\" at byte 11, found a second"},
		{"x.json", `{"rows": 5}`, "raw: rows = \"/rows\"", "1:10: the rows are a number; expected an array of them, or an object by their key"},
		{"x.json", `{"rows": 5}`, "raw: rows = \"/row\"", "1:1: there is nothing at /row, where the rows are said to be"},
		{"x.json", `{"a": 5}`, "on", "1:1: the rows are an object by one key, and on has 2 parameters; expected an array"},
		{"x.json", `{"a": 5}`, "count", "1:7: the row's key: at $.id: expected Int, found a"},
	} {
		write(t, dir, c.name, c.text)
		s, callers, err := open(t, dir, fmt.Sprintf("path = %q", c.name), c.op)
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		args := `["x"]`
		if got, want := ask(t, callers[0], args), "!unfit: "+c.name+":"+c.want; got != want {
			t.Errorf("%q:\n %s\nwant\n %s", c.text, got, want)
		}
		if err := s.Probe(context.Background(), nil); err == nil || source.KindOf(err) != source.Unfit {
			t.Errorf("%q: Probe says %v", c.text, err)
		}
		// It is the environment's own file; one elsewhere is not.
		for path, own := range map[string]bool{c.name: true, filepath.Join(dir, c.name): false} {
			s, _, err := open(t, dir, fmt.Sprintf("path = %q", path), c.op)
			if err != nil {
				t.Fatal(err)
			}
			var e *source.Error
			if err := s.Probe(t.Context(), nil); !errors.As(err, &e) || e.Own != own {
				t.Errorf("%s: %+v; own is expected to be %v", path, err, own)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ src, op, want string }{
		{``, `raw`, "1:2: `source` is missing its `path`"},
		{`path = "x.tsv"`, `raw`, "2:1: `path` ends in neither .csv nor .json; say which it is in `format`"},
		{"path = \"x.tsv\"\nformat = \"tsv\"", `raw`, "3:1: `format` is \"tsv\"; expected one of csv, json"},
		{"path = \"x.csv\"\nevery = \"0s\"\nkeys = 1", `raw`,
			"3:1: `every` is \"0s\"; expected a duration above zero, as \"50ms\" or \"2s\"|4:1: there is no setting `keys` in `source`; there is `every`, `format`, `path`"},
		{`path = "x.csv"`, `on: key = ["currency"]`, "4:1: `key` names 1 of the 2 parameters' columns; expected one for each of `currency`, `day`"},
		{`path = "x.csv"`, `raw: rows = "/x"`, "4:1: `rows` is for JSON files; all lines of a CSV file are rows"},
		{`path = "x.json"`, `raw: rows = "x"`, "4:1: `rows`: \"x\" is no JSON Pointer; it starts with a slash: \"/x\""},
		{`path = "x.json"`, `raw: answer = "/~x"`, "3:2: \"/~x\" is no JSON Pointer; a tilde is written ~0, and a slash in a name ~1"},
	} {
		_, _, err := open(t, t.TempDir(), c.src, c.op)
		want := "env/test.toml:" + strings.ReplaceAll(c.want, "|", "\nenv/test.toml:")
		if err == nil || err.Error() != want {
			t.Errorf("%s / %s:\n%v\nwant:\n%s", c.src, c.op, err, want)
		}
	}
}

// TestNoFile asks without a file, and with what is none.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	s, callers, err := open(t, dir, "path = \"sub/x.csv\"\nevery = \"1h\"", `list`)
	if err != nil {
		t.Fatal(err)
	}
	const want = "unreachable: x.csv: no such file or directory"
	for range 2 {
		if got := ask(t, callers[0], `["EUR"]`); got != "!"+want {
			t.Error(got)
		}
	}
	if err := s.Probe(context.Background(), nil); err == nil || err.Error() != want {
		t.Error(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sub", "x.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(context.Background(), nil); err == nil || err.Error() != "unreachable: x.csv: it is no regular file" {
		t.Error(err)
	}
}

// TestReload changes the file, rightly and wrongly. Probe looks at once, so that
// nothing here waits.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.csv", "currency,rate\nEUR,1\n")
	s, callers, err := open(t, dir, "path = \"x.csv\"\nevery = \"1h\"", `rate: answer = "rate"`, `list`)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	expect := func(rate, list string) {
		t.Helper()
		if got := ask(t, callers[0], `["EUR"]`); got != rate {
			t.Errorf("the rate is %s, not %s", got, rate)
		}
		if got := ask(t, callers[1], `["EUR"]`); got != list {
			t.Errorf("the list is %s, not %s", got, list)
		}
	}
	probe := func(want string) {
		t.Helper()
		got := ""
		if err := s.Probe(ctx, nil); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Probe says %q, not %q", got, want)
		}
	}
	expect(`"1"`, `[{"currency":"EUR","rate":"1"}]`)
	write(t, dir, "x.csv", "currency,rate\nEUR,2\n") // of the same size
	expect(`"1"`, `[{"currency":"EUR","rate":"1"}]`) // `every` is not over
	probe("")
	expect(`"2"`, `[{"currency":"EUR","rate":"2"}]`)
	write(t, dir, "x.csv", "currency,rate\nEUR,two\n")
	const wrong = "unfit: x.csv:2:5: expected Decimal, found string \"two\"; calls are answered from what was read before"
	probe(wrong)
	probe(wrong) // which is not forgotten while the file is the same
	expect(`"2"`, `[{"currency":"EUR","rate":"2"}]`)
	if err := os.Remove(filepath.Join(dir, "x.csv")); err != nil {
		t.Fatal(err)
	}
	probe("unreachable: x.csv: no such file or directory; calls are answered from what was read before")
	expect(`"2"`, `[{"currency":"EUR","rate":"2"}]`)
	write(t, dir, "x.csv", "currency,rate\nEUR,3\n")
	probe("")
	expect(`"3"`, `[{"currency":"EUR","rate":"3"}]`)
}

// TestSettled takes a file that is old enough by its time and size alone.
func TestSettled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(path, []byte("currency,rate\nEUR,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	touch := func() {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	touch()
	s, callers, err := open(t, dir, `path = "x.csv"`, `rate: answer = "rate"`)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, callers[0], `["EUR"]`)
	if err := os.WriteFile(path, []byte("currency,rate\nEUR,2\n"), 0o600); err != nil { // in place
		t.Fatal(err)
	}
	touch()
	if err := s.Probe(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, callers[0], `["EUR"]`); got != `"1"` {
		t.Errorf("the file was read again: %s", got)
	}
	old = old.Add(time.Second)
	touch()
	if err := s.Probe(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, callers[0], `["EUR"]`); got != `"2"` {
		t.Errorf("the file was not read again: %s", got)
	}
}

// TestEvery lets virtual time pass: the call after `every` makes the file read
// again, and is answered from what was there.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "x.csv", "currency,rate\nEUR,1\n")
		_, callers, err := open(t, dir, "path = \"x.csv\"\nevery = \"5s\"", `rate: answer = "rate"`)
		if err != nil {
			t.Fatal(err)
		}
		expect := func(want string) {
			t.Helper()
			if got := ask(t, callers[0], `["EUR"]`); got != want {
				t.Errorf("the rate is %s, not %s", got, want)
			}
			synctest.Wait() // for the load, if there is one
		}
		expect(`"1"`)
		write(t, dir, "x.csv", "currency,rate\nEUR,2\n")
		time.Sleep(5*time.Second - 1)
		expect(`"1"`)
		expect(`"1"`)
		time.Sleep(1 * time.Nanosecond)
		expect(`"1"`)
		expect(`"2"`)
	})
}

// TestConcurrent asks, changes and probes at once.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.csv", "currency,rate\nEUR,1\n")
	s, callers, err := open(t, dir, "path = \"x.csv\"\nevery = \"1ns\"", `rate: answer = "rate"`)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				if got := ask(t, callers[0], `["EUR"]`); got != `"1"` && got != `"2"` {
					t.Error(got)
				}
			}
		})
	}
	for i := range 20 {
		write(t, dir, "x.csv", fmt.Sprintf("currency,rate\nEUR,%d\n", i%2+1))
		var e *source.Error
		if err := s.Probe(context.Background(), nil); err != nil && !errors.As(err, &e) {
			t.Error(err)
		}
	}
	group.Wait()
}

// TestBindLater binds an operation after the file was read.
func TestBindLater(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.csv", ratesCSV)
	s, callers, err := open(t, dir, "path = \"x.csv\"\nevery = \"1h\"", `list`)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, callers[0], `["EUR"]`)
	m := program()
	i := slices.IndexFunc(m.Operations, func(o artifact.Operation) bool { return o.Name == "find" })
	file := settings.Parse("later.toml", []byte("key = [\"currency\"]"))
	later := s.Bind(source.Operation{Meta: &m.Operations[i], Schema: &m.Schema, Settings: file.Root})
	if got := ask(t, later, `["EUR"]`); got != `{"currency":"EUR","rate":"1"}` {
		t.Error(got)
	}
}

func TestEnded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.csv", ratesCSV)
	s, callers, err := open(t, dir, `path = "x.csv"`, `list`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := askWithin(t, ctx, callers[0], `["EUR"]`); got != "!expired: x.csv: context canceled" {
		t.Error(got)
	}
	if err := s.Probe(ctx, nil); err != nil && source.KindOf(err) != source.Expired {
		t.Error(err)
	}
}

// BenchmarkAnswer asks one row of 10,000.
func BenchmarkAnswer(b *testing.B) {
	dir := b.TempDir()
	var text strings.Builder
	text.WriteString("currency,rate\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "C%d,%d.5\n", i, i)
	}
	write(b, dir, "x.csv", text.String())
	_, callers, err := open(b, dir, `path = "x.csv"`, `byCode`)
	if err != nil {
		b.Fatal(err)
	}
	batch := &source.Batch{Args: [][]byte{[]byte(`["C7777"]`)}}
	b.ReportAllocs()
	for b.Loop() {
		callers[0].Call(context.Background(), batch, func(_ int, _ []byte, err error) {
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
