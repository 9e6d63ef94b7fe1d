package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
)

const people = `
type Email(String)

type Grade = Low | High
type Way = Post(@private street: String, number: Int) | Pickup

type Person {
  id: String
  @private email: Email
  @private @json("full_name") name: String? = None
  @private age: Int = 0
  @private born: Date?
  @private seen: Instant?
  @private worth: Money?
  @private rate: Decimal?
  @private share: Float?
  @private every: Duration?
  @private member: Bool = false
  @private grade: Grade = Low
  @private way: Way?
  @private tags: Set<String> = set.empty()
  @private notes: Map<String, Int> = map.empty()
  @private raw: Json?
  friend: Person?
}

type Score { points: Int, about: String, @private secret: String }

service Scores {
  fn of(person: Person) -> Score
  fn named(email: String) -> Score
  fn aged(age: Int) -> Int
}

view score(person: Person, note: String = "") -> Score {
  let s = Scores.of(person)
  let n = Scores.named(emailOf(person))
  Score { points: s.points + n.points, about: "for {emailOf(person)}: {n.about}", secret: s.secret }
}

view aged(person: Person) -> Int { Scores.aged(person.age) }

view way(way: Way, all: List<Person> = [], by: Map<String, Person> = map.empty(), raw: Json) -> Way { way }

view fails(person: Person) -> Int { 10 / person.age }

fn emailOf(person: Person) -> String { let Email(e) = person.email
  e }
`

var peopleArtifact = sync.OnceValue(func() []byte { return compiled(people) })

func compiled(text string) []byte {
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(text)}}, compile.Options{})
	if err != nil {
		panic(err)
	}
	if res.Diags.HasErrors() {
		panic(fmt.Sprint(res.Diags.All[0].At, res.Diags.All[0].Message))
	}
	return res.Artifact
}

func load(t testing.TB, data []byte, source engine.Source) *engine.Program {
	t.Helper()
	p, err := engine.Load(t.Context(), data, engine.Options{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

// scores answers all calls.
func scores(_ context.Context, b *engine.Batch) {
	for i := range b.Len() {
		switch b.Operation.Name {
		case "aged":
			b.Answer(i, b.Args(i)[1:len(b.Args(i))-1])
		case "named":
			b.Answer(i, []byte(`{"points":2,"about":"`+strings.Trim(string(b.Args(i)), `[]"`)+` is fine","secret":"hush hush","more":1}`))
		default:
			b.Answer(i, []byte(`{"points":1,"about":"all","secret":"hush hush"}`))
		}
	}
}

// recorded asks a view, and gives the redacted entry.
func recorded(t testing.TB, p *engine.Program, r *Redactor, view, input string) *Entry {
	t.Helper()
	v, err := p.View(view)
	if err != nil {
		t.Fatal(err)
	}
	e := &Entry{ID: "r1", Program: "shop", Begin: instant(0)}
	_, err = v.Do(t.Context(), nil, engine.Request{Input: []byte(input), Record: &e.Record})
	r.Redact(e, err)
	return e
}

func manifestOf(t testing.TB, data []byte) *artifact.Manifest {
	t.Helper()
	m, err := artifact.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPrivateValuesHaveStandIns(t *testing.T) {
	r := NewRedactor(manifestOf(t, peopleArtifact()), Key{1})
	p := load(t, peopleArtifact(), engine.SourceFunc(scores))
	e := recorded(t, p, r, "way", `{"all":[{"id":"p1","email":"ada@example.org","full_name":"Ada","age":36,"born":"1990-05-01","seen":"2026-01-01T01:00:00+01:00",
		"worth":{"currency":"EUR","amount":12.5},"rate":"1.50","share":0.25,"every":"1h","member":true,"grade":"High","way":{"number":3,"street":"Elm","type":"Post"},
		"tags":["x","why"],"notes":{"one":1},"raw":{"a":[1,"two"]},"friend":{"id":"p2","email":"ada@example.org","full_name":null,"age":36},"unknown":"ada@example.org"}],
		"by":{"k":{"id":"p3","email":"ada@example.org"}},"raw":{"mail":"ada@example.org"},"way":{"type":"Pickup"}}`)
	want := `{"all":[{"id":"p1","email":"E","full_name":"T","age":N,"born":"2000-D","seen":"2000-DTt","worth":{"currency":"EUR","amount":"N"},` +
		`"rate":"N","share":N,"every":"U","member":false,"grade":"Low","way":{"type":"Pickup"},"tags":["T","T"],"notes":{"T":N},"raw":"T",` +
		`"friend":{"id":"p2","email":"E","full_name":null,"age":N,"member":false,"grade":"Low","tags":[],"notes":{}}}],` +
		`"by":{"k":{"id":"p3","email":"E","full_name":null,"age":N,"member":false,"grade":"Low","tags":[],"notes":{}}},"raw":{"mail":"E"},"way":{"type":"Pickup"}}`
	got := string(e.Record.Input)
	email := regexp.MustCompile(`"email":"([^"]*)"`).FindStringSubmatch(got)
	if email == nil {
		t.Fatal(got)
	}
	got = strings.ReplaceAll(got, email[1], "E")
	for _, c := range []struct{ re, as string }{
		{`"•••[0-9a-v]{13}"`, `"T"`}, {`2000-\d\d-\d\d`, "2000-D"}, {`T\d\d:\d\d:\d\dZ`, "Tt"}, {`:\d{6}`, ":N"}, {`"\d{6}"`, `"N"`}, {`"\d+d[0-9dhms]+"`, `"U"`},
	} {
		got = regexp.MustCompile(c.re).ReplaceAllString(got, c.as)
	}
	if got != want {
		t.Errorf("got  %s\nwant %s\nfrom %s", got, want, e.Record.Input)
	}
	if e.Redacted == 0 || e.Incomplete != "" || e.Outcome != Answered {
		t.Errorf("the entry says %+v", e)
	}
}

func TestStandInsAreEqualWhereValuesAre(t *testing.T) {
	k := Key{1}
	for _, c := range []struct {
		class class
		a, b  string
		same  bool
	}{
		{classNumber, "1.50", "1.5", true}, {classNumber, "15e-1", "1.5", true}, {classNumber, "1.5", "1.6", false},
		{classText, "ada", "ada", true}, {classText, "ada", "bob", false},
		{classInstant, "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", true},
	} {
		a, b := k.standIn(c.class, canonical(c.class, []byte(c.a))), k.standIn(c.class, canonical(c.class, []byte(c.b)))
		if (a == b) != c.same {
			t.Errorf("%s has %s, %s has %s", c.a, a, c.b, b)
		}
	}
	other := Key{2}
	if k.standIn(classText, "ada") == other.standIn(classText, "ada") {
		t.Error("the key means nothing")
	}
	for n, want := range map[int]int{1: 16, 16: 16, 17: 32, 100: 128, 5000: 1024} {
		if got := len([]rune(k.standIn(classText, strings.Repeat("x", n)))); got != want {
			t.Errorf("%d characters have a stand-in of %d", n, got)
		}
	}
}

// TestCarriedValues: a private value is hidden where nothing marks it, and replays
// find their calls.
func TestCarriedValues(t *testing.T) {
	data := peopleArtifact()
	r := NewRedactor(manifestOf(t, data), Key{1})
	p := load(t, data, engine.SourceFunc(scores))
	replayer, err := NewReplayer(load(t, data, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ view, input string }{
		{"score", `{"person":{"id":"p1","email":"ada@example.org","tags":["z","y","x","w","v"],"notes":{"a":1,"b":2},"member":true},"note":"of ada@example.org"}`},
		{"score", `{"person":{"id":"p1","email":"a","friend":{"id":"p2","email":"b"}}}`},
		{"score", `{"person":{"id":"p1","email":"quo\"te\n\u00e9\ud83d\ude00"}}`},
		{"aged", `{"person":{"id":"p1","email":"x","age":1234567}}`},
		{"fails", `{"person":{"id":"p1","email":"ada@example.org","age":5}}`},
	} {
		e := recorded(t, p, r, c.view, c.input)
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, private := range []string{"ada@example.org", "hush hush", "1234567", "quo"} {
			if bytes.Contains(text, []byte(private)) {
				t.Errorf("%s is in %s", private, text)
			}
		}
		run, err := replayer.Replay(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if len(run.Missing) > 0 {
			t.Errorf("%s%s asks %s", c.view, c.input, run.Missing[0].Args)
		}
	}
}

// TestPartsOfTexts looks for private texts where escapes stand, and where several
// begin.
func TestPartsOfTexts(t *testing.T) {
	c := carried{key: &Key{1}}
	for _, private := range []string{`\nabc`, "abcd", "abcdef", "é😀é", "12345"} {
		c.hide(classText, private)
	}
	standIn := regexp.MustCompile(`•••[0-9a-v]{13}`)
	for text, want := range map[string]string{
		`x\\nabc`: `x\\nabc`, `x\nabc`: `xT`, `abcdefg`: `Tg`, `abcde`: `Te`, `ab\u0001cd`: `ab\u0001cd`, `\\abcd\\`: `\\T\\`,
		`aé😀é.`: `aT.`, `112345`: `1T`, `abc`: `abc`, ``: ``, `\"abcd`: `\"T`, `abcdabcd`: `TT`,
	} {
		if got := standIn.ReplaceAllString(string(c.appendText(nil, []byte(text))), "T"); got != want {
			t.Errorf("%s is written as %s, want %s", text, got, want)
		}
	}
}

// TestComputedOfPrivateValues is where carrying ends, as Redactor says.
func TestComputedOfPrivateValues(t *testing.T) {
	data := compiled(`
		type P { @private age: Int }
		service S { fn of(n: Int) -> Int }
		view v(p: P) -> Int { S.of(p.age + 1) }
	`)
	p := load(t, data, engine.SourceFunc(func(_ context.Context, b *engine.Batch) { b.Answer(0, []byte("1")) }))
	replayer, err := NewReplayer(p)
	if err != nil {
		t.Fatal(err)
	}
	e := recorded(t, p, NewRedactor(p.Manifest(), Key{1}), "v", `{"p":{"age":40}}`)
	if string(e.Record.Answers[0].Args) != "[41]" {
		t.Errorf("the call is recorded as %s", e.Record.Answers[0].Args)
	}
	c, err := Compare(t.Context(), e, replayer, nil)
	if err != nil || c.Same || len(c.Missing) != 1 {
		t.Errorf("compared: %+v, %v", c, err)
	}
	if c, err = Compare(t.Context(), e, replayer, replayer); err != nil || !c.Same {
		t.Errorf("compared with itself: %+v, %v", c, err)
	}
}

func TestRefusedInputs(t *testing.T) {
	data := peopleArtifact()
	r := NewRedactor(manifestOf(t, data), Key{1})
	p := load(t, data, engine.SourceFunc(scores))
	for _, c := range []struct{ input, want, why, incomplete string }{
		{`{"person":{"id":"p1","email":"a@b.c","age":"secret age"}}`, "", "the input of shop.score: at $.person.age: expected Int", ""},
		{`{"person":{"id":7,"email":"a@b.c"}}`, "", "the input of shop.score: at $.person.id: expected String", ""},
		{`{"person":["secret"]}`, `{"person":null}`, "the input of shop.score: at $.person: expected Person", "of the input, what its type does not know is left out"},
		{`{"person":{"id":"p1"`, "null", "", "the input is no JSON"},
		{``, "null", "", "the input is no JSON"},
		{`{"person":{"id":"p1","email":"` + "\xff" + `"}}`, "null", "", "the input is no JSON"},
		{strings.Repeat("[", 1000), "null", "", "the input is no JSON"},
		{`{"person":{"id":"p1","email":"e"}} secret`, "null", "", "the input is no JSON"},
	} {
		e := recorded(t, p, r, "score", c.input)
		if c.want != "" && string(e.Record.Input) != c.want || c.why != "" && e.Record.Error != c.why || e.Incomplete != c.incomplete || e.Outcome != Refused {
			t.Errorf("%.60s: %s, %q, %q, %s", c.input, e.Record.Input, e.Record.Error, e.Incomplete, e.Outcome)
		}
		if text, err := json.Marshal(e); err != nil || bytes.Contains(text, []byte("secret")) {
			t.Errorf("%s is recorded as %s, %v", c.input, text, err)
		}
	}
}

func TestEntryOfAnotherProgram(t *testing.T) {
	r := NewRedactor(manifestOf(t, peopleArtifact()), Key{})
	e := entry("r1", 5)
	e.Record.Answers = []engine.Answer{{Operation: "x.Y.z", Args: json.RawMessage(`["secret"]`), Body: json.RawMessage(`"secret"`)}}
	r.Redact(e, nil)
	if text, _ := json.Marshal(e); bytes.Contains(text, []byte("secret")) || e.Incomplete == "" {
		t.Errorf("it is recorded as %s", text)
	}
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Outcome
	}{
		{nil, Answered}, {&engine.InputError{}, Refused}, {&engine.Fault{}, Faulted}, {&engine.LimitError{}, Limited}, {&engine.TrapError{}, Faulted},
		{&engine.CallError{Operation: "x", Err: errors.New("no route")}, CallFailed}, {&engine.CallError{Operation: "x", Err: context.DeadlineExceeded}, CallFailed},
		{&engine.CallError{Err: engine.ErrDeadline}, Expired}, {context.DeadlineExceeded, Expired}, {context.Canceled, Cancelled},
	} {
		got := OutcomeOf(c.err)
		if got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
		if back, err := ParseOutcome(got.String()); err != nil || back != got {
			t.Errorf("%s reads as %s, %v", got, back, err)
		}
	}
	if _, err := ParseOutcome("lost"); err == nil {
		t.Error("lost is an outcome")
	}
}

// standIns are texts' stand-ins, in which a private value may turn up by chance.
var standIns = regexp.MustCompile(`•••[0-9a-v]{13}•*`)

// leaks says which of some values an entry holds.
func leaks(t *testing.T, e *Entry, private []string) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	left := standIns.ReplaceAllString(string(text), "")
	for _, v := range private {
		quoted, _ := json.Marshal(v)
		if strings.Contains(left, string(quoted[1:len(quoted)-1])) {
			t.Fatalf("%q is in %s", v, text)
		}
	}
}

// TestNoPrivateTextIsKept writes random people, and looks for what is private of
// them in all that is recorded.
func TestNoPrivateTextIsKept(t *testing.T) {
	data := peopleArtifact()
	r := NewRedactor(manifestOf(t, data), Key{1})
	p := load(t, data, engine.SourceFunc(scores))
	rng := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("aZé😀\"\\/\n \x01<,:{}[]'")
	for range 300 {
		var private []string
		text := func() string {
			s := []rune("§")
			for range 3 + rng.IntN(12) {
				s = append(s, alphabet[rng.IntN(len(alphabet))])
			}
			private = append(private, string(s))
			quoted, _ := json.Marshal(string(s))
			return string(quoted)
		}
		person := fmt.Sprintf(`{"email":%s,"x":%s,"id":"p1","full_name":%s,"tags":[%s],"notes":{%s:1},"raw":{"a":[%s]},"way":{"street":%s,"type":"Post","number":1}}`,
			text(), text(), text(), text(), text(), text(), text())
		// The second stands where no type knows it: it is left out there, and is not
		// looked for elsewhere.
		private = append(private[:1], private[2:]...)
		note, _ := json.Marshal("note: " + private[rng.IntN(len(private))] + "!")
		e := recorded(t, p, r, "score", fmt.Sprintf(`{"note":%s,"person":%s}`, note, person))
		leaks(t, e, private)
	}
}

func FuzzRedact(f *testing.F) {
	data := peopleArtifact()
	m := manifestOf(f, data)
	r := NewRedactor(m, Key{1})
	f.Add([]byte(`{"person":{"id":"p1","email":"ada@example.org","age":3,"friend":{"id":"p2","email":"e"}},"note":"n"}`))
	f.Add([]byte(`{"way":{"street":"s","type":"Post"},"all":[{}],"by":{"k":{}},"raw":[1,{"a":"b"}]}`))
	f.Add([]byte(`{"person":{"email":"\u0041\ud83d\ude00","notes":[["a",1]],"tags":["a","a"],"worth":{"amount":1}}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, view := range []string{"shop.score", "shop.way"} {
			e := &Entry{Record: engine.Record{View: view, Input: bytes.Clone(input), Output: bytes.Clone(input)}}
			e.Record.Answers = []engine.Answer{{Operation: "shop.Scores.of", Args: append(append([]byte("["), input...), ']'), Error: string(input)}}
			e.Trace = bytes.Clone(input)
			r.Redact(e, nil)
			if !json.Valid(e.Record.Input) || len(input) > 0 && !json.Valid(e.Record.Output) || !json.Valid(e.Record.Answers[0].Args) {
				t.Fatalf("%s: no JSON is %s", input, e.Record.Input)
			}
			if e.Incomplete == "" && !json.Valid(input) {
				t.Fatalf("%s is taken for JSON: %s", input, e.Record.Input)
			}
			var parsed struct {
				Person *struct {
					Email any `json:"email"`
				}
			}
			if json.Unmarshal(e.Record.Input, &parsed) != nil || parsed.Person == nil {
				continue
			}
			if s, ok := parsed.Person.Email.(string); ok && s != "" && view == "shop.score" && !standIns.MatchString(s) {
				t.Fatalf("an email is %q", s)
			}
		}
	})
}
