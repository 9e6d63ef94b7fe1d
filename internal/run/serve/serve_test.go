package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"towpath.dev/internal/codec/codectest"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const shop = `//// A shop.

service Stock {
  fn left(item: String) -> Int within 5s
  fn hint(item: String) -> String within 5s
}

pub type Line { item: String, count: Int }

/// What so many cost.
view cost(count: Int, each: Decimal = 2.5, gift: Bool = false, note: String?) -> Decimal {
  each * decimal.fromInt(count) + (if gift { 1 } else { 0 })
}

view same(value: Json) -> Json { value }

view sum(numbers: List<Int>) -> Int { numbers |> list.sum() }

view total(lines: List<Line>) -> Int { lines |> list.sumBy(l => l.count) }

view ratio(a: Int, b: Int) -> Int { a / b }

view endless(n: Int) -> Int { spin(n) }

fn spin(n: Int) -> Int { if n < 0 { n } else { spin(n) } }

view left(item: String) -> Int { Stock.left(item) }

view guarded(item: String) -> Int { Stock.left(item) else 0 - 1 }

view hinted(item: String) -> String { optional Stock.hint(item) else "none" }

view hurried(item: String) -> Int within 20ms { Stock.left(item) }
`

// answers is a source.Caller by a function.
type answers func(ctx context.Context, args string) (string, error)

func (f answers) Call(ctx context.Context, b *source.Batch, done func(int, []byte, error)) {
	for i, args := range b.Args {
		body, err := f(ctx, string(args))
		done(i, []byte(body), err)
	}
}

func build(t testing.TB, text string) []byte {
	t.Helper()
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(text)}}, compile.Options{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.All[0])
	}
	return res.Artifact
}

var shopArtifact = sync.OnceValue(func() []byte {
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(shop)}}, compile.Options{Name: "shop"})
	if err != nil {
		panic(err)
	}
	if res.Diags.HasErrors() {
		panic(res.Diags.All[0])
	}
	return res.Artifact
})

func release(t testing.TB, s *Server, artifact []byte, caller source.Caller) *Release {
	t.Helper()
	p, err := engine.Load(context.Background(), artifact, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bound := make([]fetch.Bound, len(p.Manifest().Operations))
	for i := range bound {
		bound[i] = fetch.Bound{Caller: caller, Source: "stock"}
	}
	return &Release{Engine: p, Fetcher: fetch.New(p.Manifest(), bound, fetch.Options{Observe: s.Asked})}
}

// start serves the shop.
func start(t testing.TB, opts Options, caller source.Caller) *Server {
	t.Helper()
	s := New(opts)
	s.Put("shop", release(t, s, shopArtifact(), caller))
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask asks the server and gives the status, the headers and the body.
func ask(s http.Handler, method, target, body string, headers ...string) (int, http.Header, string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.String()
}

func stock(_ context.Context, args string) (string, error) {
	switch args {
	case `["lamp"]`:
		return "3", nil
	case `["odd"]`:
		return `"three"`, nil
	}
	return "", source.Errorf(source.Failed, "no such item")
}

func TestAnswers(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	for _, c := range []struct{ method, target, body, want string }{
		{"POST", "/v1/shop/cost", `{"count": 2}`, `"5"`},
		{"POST", "/v1/shop/shop.cost", `{"count": 2, "gift": true, "more": 1}`, `"6"`},
		{"GET", "/v1/shop/cost?count=2&each=1.25&note=&gift=true", "", `"3.5"`},
		{"GET", "/v1/shop/sum?numbers=1&numbers=2&numbers=39", "", "42"},
		{"POST", "/v1/shop/total", `{"lines":[{"item":"a","count":2},{"item":"b","count":3}]}`, "5"},
		{"POST", "/v1/shop/left", `{"item":"lamp"}`, "3"},
		{"POST", "/v1/shop/guarded", `{"item":"vase"}`, "-1"},
		{"POST", "/v1/shop/guarded", `{"item":"odd"}`, "-1"},
	} {
		status, header, body := ask(s, c.method, c.target, c.body)
		if status != 200 || body != c.want {
			t.Errorf("%s %s %s: %d %s, want %s", c.method, c.target, c.body, status, body, c.want)
		}
		if header.Get("Content-Type") != "application/json" || header.Get("Server-Timing") == "" || header.Get("Towpath-Request") == "" {
			t.Errorf("%s: headers %v", c.target, header)
		}
	}
	c := s.programs.Load().byName["shop"].now.Load().main.Counts()
	if c.Requests.Load() != 8 || c.Answered.Load() != 8 || c.Fallbacks.Load() != 2 {
		t.Errorf("%d requests, %d answered, %d fallbacks", c.Requests.Load(), c.Answered.Load(), c.Fallbacks.Load())
	}
}

func TestProblems(t *testing.T) {
	s := start(t, Options{MaxBody: 1000}, answers(stock))
	for _, c := range []struct {
		method, target, body string
		headers              []string
		status               int
		kind, has            string
	}{
		{"POST", "/v1/shop/cost", `{"count": "2"}`, nil, 400, InvalidInput, `"path":"$.count","expected":"Int","found":"string \"2\""`},
		{"POST", "/v1/shop/total", `{"lines":[{"item":"a","count":2},{"item":"b"}]}`, nil, 400, InvalidInput, `$.lines[1]`},
		{"POST", "/v1/shop/cost", `{"count": 2`, nil, 400, InvalidInput, ""},
		{"POST", "/v1/shop/cost", ``, nil, 400, InvalidInput, ""},
		{"GET", "/v1/shop/cost?count=two", "", nil, 400, InvalidInput, `"path":"$.count"`},
		{"GET", "/v1/shop/cost?count=1&count=2", "", nil, 400, InvalidInput, `2 times`},
		{"GET", "/v1/shop/cost?count=%zz", "", nil, 400, InvalidInput, `query`},
		{"GET", "/v1/shop/total", "", nil, 405, BadMethod, "POST"},
		{"PUT", "/v1/shop/cost", "{}", nil, 405, BadMethod, "GET, POST"},
		{"POST", "/v1/shop/cost", "a=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, BadMedia, "application/json"},
		{"POST", "/v1/shop/cost", `{"count": 1, "note": "` + strings.Repeat("x", 1000) + `"}`, nil, 413, TooLarge, "1000 bytes"},
		{"POST", "/v1/shop/nothing", "{}", nil, 404, NotFound, "shop.cost"},
		{"POST", "/v1/market/nothing", "{}", nil, 404, NotFound, "there is shop"},
		{"POST", "/elsewhere", "{}", nil, 404, NotFound, "/v1/{program}/{view}"},
		{"POST", "/v1/shop/ratio", `{"a":1,"b":0}`, nil, 500, Faulted, `"fault":"division by zero","file":"shop.tow","line":21`},
		{"POST", "/v1/shop/endless", `{"n":1}`, nil, 500, Faulted, `out of gas`},
		{"POST", "/v1/shop/left", `{"item":"vase"}`, nil, 502, ServiceFailed, `"operation":"shop.Stock.left"`},
		{"POST", "/v1/shop/left", `{"item":"odd"}`, nil, 502, ServiceFailed, `expected Int, found string`},
		{"POST", "/v1/shop/cost", `{"count":1}`, []string{"Towpath-Criticality", "urgent"}, 400, BadHeader, "sheddable"},
		{"POST", "/v1/shop/cost", `{"count":1}`, []string{"Towpath-Deadline", "soon"}, 400, BadHeader, "milliseconds"},
	} {
		status, header, body := ask(s, c.method, c.target, c.body, c.headers...)
		var p Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: %s is no problem: %v", c.target, body, err)
			continue
		}
		if status != c.status || p.Status != c.status || p.Type != c.kind || p.Title == "" || p.Detail == "" || p.Request == "" ||
			header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, c.has) {
			t.Errorf("%s %s %.80s: %d %s, want %d %s with %s", c.method, c.target, c.body, status, body, c.status, c.kind, c.has)
		}
	}
}

// TestNastyJSON: texts that parsers get wrong are told apart over HTTP too.
func TestNastyJSON(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	deep := strings.Repeat("[", 100_000)
	for body, want := range map[string]int{
		`{"count":1}` + "\n": 200, "\t{ \"count\" :1 }\r\n": 200, `{"count":1,"note":"\u0000\ud83d\ude00"}`: 200,
		`{"count":1}{}`: 400, `{"count":01}`: 400, `{"count":1.0}`: 400, `{"count":1e2}`: 400, `{"count":-}`: 400,
		`{"count":9223372036854775808}`: 400, `{"count":1,"count":1}`: 400, `{'count':1}`: 400, `{"count":1,}`: 400,
		`{"count":NaN}`: 400, `{"count":1,"note":"\ud800"}`: 400, "{\"count\":1,\"note\":\"\xff\"}": 400, "\xef\xbb\xbf{\"count\":1}": 400,
		`[]`: 400, `null`: 400, `"x"`: 400, deep: 400, `{"x":` + deep: 400, "{\"count\":1,\"note\":\"a\nb\"}": 400, "\x00": 400,
	} {
		if status, _, text := ask(s, "POST", "/v1/shop/cost", body); status != want {
			t.Errorf("%.60q: %d %s, want %d", body, status, text, want)
		}
	}
}

// TestSyntax: what is JSON and what is not, as parsing test suites have it, over HTTP.
func TestSyntax(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	ends := map[bool]int{true: 200, false: 400}
	for is, texts := range map[bool][]string{true: codectest.Accepted, false: codectest.Refused} {
		for _, text := range texts {
			if status, _, body := ask(s, "POST", "/v1/shop/same", `{"value":`+text+`}`); status != ends[is] {
				t.Errorf("%q: %d %s", text, status, body)
			}
		}
	}
}

func TestDeadlines(t *testing.T) {
	hang := answers(func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	s := start(t, Options{}, hang)
	for _, c := range []struct{ view, deadline string }{{"hurried", ""}, {"left", "20"}} {
		status, _, body := ask(s, "POST", "/v1/shop/"+c.view, `{"item":"lamp"}`, "Towpath-Deadline", c.deadline)
		if status != 504 || !strings.Contains(body, DeadlineGone) {
			t.Errorf("%s: %d %s", c.view, status, body)
		}
	}
}

// TestClientLeaves: the calls of a request whose client has left are cancelled. It is counted as
// gone after the time that it waited, and as no request that was answered.
func TestClientLeaves(t *testing.T) {
	begun, gone := make(chan struct{}), make(chan struct{})
	s := start(t, Options{}, answers(func(ctx context.Context, _ string) (string, error) {
		close(begun)
		<-ctx.Done()
		close(gone)
		return "", ctx.Err()
	}))
	h := httptest.NewServer(s)
	defer h.Close()
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-begun; leave() }()
	r, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/shop/left", strings.NewReader(`{"item":"lamp"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(r); err == nil {
		t.Error("it was answered")
	}
	<-gone
	http.DefaultClient.CloseIdleConnections()
	h.Close() // waits for the request
	for _, tally := range s.programs.Load().byName["shop"].now.Load().main.Tallies() {
		if tally.View != "shop.left" {
			continue
		}
		waited := int64(0)
		for _, n := range tally.Latency {
			waited += n
		}
		tally.Latency, tally.CPU = nil, nil
		if want := (Tally{View: tally.View, Gone: 1}); waited != 1 || !reflect.DeepEqual(tally, want) {
			t.Errorf("%d latencies, %+v; expected 1, %+v", waited, tally, want)
		}
		return
	}
	t.Error("nothing was counted")
}

func TestHeadersGoAlong(t *testing.T) {
	var seen source.About
	s := start(t, Options{}, abouts(func(about source.About) { seen = about }))
	_, header, _ := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Towpath-Request", "r-1", "Towpath-Criticality", "bulk", "Towpath-Caller", "checkout")
	if want := (source.About{Request: "r-1", Criticality: "bulk", Caller: "checkout"}); seen != want {
		t.Errorf("the service heard of %+v", seen)
	}
	if id := header.Get("Towpath-Request"); id != "r-1" {
		t.Errorf("the answer is of the request %q", id)
	}
	_, header, _ = ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Towpath-Request", "<script>")
	if id := header.Get("Towpath-Request"); len(id) != 16 {
		t.Errorf("a bad id became %q", id)
	}
}

type abouts func(source.About)

func (f abouts) Call(_ context.Context, b *source.Batch, done func(int, []byte, error)) {
	f(b.About)
	for i := range b.Args {
		done(i, []byte("1"), nil)
	}
}

func TestTokens(t *testing.T) {
	token, hash := NewToken()
	tokens, err := ReadTokens("tokens.toml", []byte("[tokens]\ncheckout = \""+hash+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var seen string
	s := start(t, Options{Tokens: tokens}, abouts(func(about source.About) { seen = about.Caller }))
	for _, auth := range []string{"", "Bearer", "Bearer x", "Basic " + token, token} {
		if status, header, _ := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Authorization", auth); status != 401 || header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d", auth, status)
		}
	}
	if status, _, body := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Authorization", "Bearer "+token, "Towpath-Caller", "other"); status != 200 || seen != "checkout" {
		t.Errorf("%d %s, of %q", status, body, seen)
	}
	// What a service says of itself is not for everybody who has a token.
	s = start(t, Options{Tokens: tokens}, answers(func(context.Context, string) (string, error) {
		return "", source.Errorf(source.Unreachable, "dial tcp 10.1.2.3:5432")
	}))
	if status, _, body := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Authorization", "Bearer "+token); status != 502 ||
		strings.Contains(body, "10.1.2.3") || !strings.Contains(body, "shop.left: no answer of shop.Stock.left: unreachable") {
		t.Errorf("%d %s", status, body)
	}
	_, err = ReadTokens("tokens.toml", []byte("[tokens]\na = \"sha256:12\"\n[other]\n"))
	if want := "tokens.toml:2:1: `a` is no hash of a token"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "no setting `other`") {
		t.Errorf("mistakes: %v", err)
	}
}

// TestOpenAPI checks the description by the schema that the OpenAPI Initiative
// publishes.
func TestOpenAPI(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	status, _, body := ask(s, "GET", "/v1/shop/openapi.json", "")
	if status != 200 {
		t.Fatal(status, body)
	}
	text, err := os.ReadFile("testdata/openapi-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", meta); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, body)
	}
	for _, want := range []string{`"/v1/shop/shop.cost"`, `"Line"`, `"application/problem+json"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in it", want)
		}
	}
}

// TestSwaps puts releases in place under load: none of the requests fails, and each
// is answered by one release.
func TestSwaps(t *testing.T) {
	s := New(Options{})
	put := func(n int) *Release {
		r := release(t, s, build(t, fmt.Sprintf("view both() -> (Int, Int) { (%d, list.range(0, %d) |> list.length()) }\n", n, n)), nil)
		s.Put("shop", r)
		return r
	}
	releases := []*Release{put(1)}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				status, _, body := ask(s, "POST", "/v1/shop/both", "{}")
				a, b, _ := strings.Cut(strings.Trim(body, "[]"), ",")
				if status != 200 || a != b {
					t.Errorf("%d %s", status, body)
				}
			}
		})
	}
	for n := range 20 {
		releases = append(releases, put(n+2))
	}
	stop.Store(true)
	wg.Wait()
	for _, r := range releases[:len(releases)-1] {
		<-r.Gone()
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTwoReleasesSideBySide(t *testing.T) {
	s := New(Options{})
	defer s.Close(context.Background())
	one := release(t, s, build(t, "view n() -> Int { 1 }\n"), nil)
	two := release(t, s, build(t, "view n() -> Int { 2 }\n"), nil)
	s.Put("shop", one)
	s.Place("shop", one, two, 0.25)
	counts := map[string]int{}
	for i := range 4000 {
		id := fmt.Sprintf("request-%d", i)
		_, _, body := ask(s, "POST", "/v1/shop/n", "{}", "Towpath-Request", id)
		if _, _, again := ask(s, "POST", "/v1/shop/n", "{}", "Towpath-Request", id); again != body {
			t.Fatalf("%s went to two releases", id)
		}
		counts[body]++
	}
	if counts["2"] < 900 || counts["2"] > 1100 {
		t.Errorf("a quarter of 4000 is %v", counts)
	}
	if n := two.Counts().Requests.Load(); n != 2*int64(counts["2"]) {
		t.Errorf("the release beside counts %d requests", n)
	}
	s.Place("shop", two, nil, 0)
	<-one.Gone()
	if _, _, body := ask(s, "POST", "/v1/shop/n", "{}"); body != "2" {
		t.Errorf("after it took over: %s", body)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	s := start(t, Options{Incarnation: "i1"}, answers(stock))
	ask(s, "POST", "/v1/shop/cost", `{"count":1}`)
	ask(s, "POST", "/v1/shop/left", `{"item":"vase"}`)
	_, _, body := ask(s, "GET", "/metrics", "")
	for _, want := range []string{
		`towpath_requests_total{outcome="answered",program="shop"`, `towpath_request_seconds_count{program="shop",view="shop.cost"} 1`,
		`towpath_problems_total{type="https://towpath.dev/problems/service-failed"} 1`, `towpath_process_info{incarnation="i1"} 1`,
		`towpath_call_failures_total{kind="failed",operation="shop.Stock.left"} 1`, "towpath_admission_limit", "go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if status, _, _ := ask(s, "GET", "/readyz", ""); status != 200 {
		t.Errorf("ready: %d", status)
	}
	s.Drain()
	if status, _, _ := ask(s, "GET", "/readyz", ""); status != 503 {
		t.Errorf("ready while draining: %d", status)
	}
	if status, _, _ := ask(s, "GET", "/healthz", ""); status != 200 {
		t.Errorf("healthy: %d", status)
	}
	if status, _, _ := ask(s, "POST", "/v1/shop/cost", `{"count":1}`); status != 200 {
		t.Errorf("a request while draining: %d", status)
	}
}

func TestNotice(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	s.Notice("stale: ünïcode\nand more")
	if _, header, _ := ask(s, "POST", "/v1/shop/cost", `{"count":1}`); header.Get("Towpath-Notice") != "stale: ncodeand more" {
		t.Errorf("the notice is %q", header.Get("Towpath-Notice"))
	}
	s.Notice("")
	if _, header, _ := ask(s, "POST", "/v1/shop/cost", `{"count":1}`); header["Towpath-Notice"] != nil {
		t.Error("the notice stays")
	}
}

// TestAnotherProgram asks a view through viewcall's seam.
func TestAnotherProgram(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	out, err := s.Answer(t.Context(), "shop", "shop.cost", []byte(`{"count":2}`), source.About{Request: "r"})
	if err != nil || string(out) != `"5"` {
		t.Error(string(out), err)
	}
	_, err = s.Answer(t.Context(), "market", "x", nil, source.About{})
	if source.KindOf(err) != source.Refused {
		t.Error(err)
	}
}

// TestStale: a server that is not told any more what to serve says so, and is ready.
func TestStale(t *testing.T) {
	s := New(Options{})
	defer s.Close(t.Context())
	s.Put("shop", release(t, s, shopArtifact(), answers(stock)))
	ask := func(path string) string {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		return w.Body.String()
	}
	since := time.Time{}
	s.Stale(func() time.Time { return since })
	if got := ask("/readyz"); got != "ready\n" {
		t.Errorf("%q", got)
	}
	since = time.Now().Add(-time.Hour)
	if got := ask("/readyz"); !strings.Contains(got, "stale since "+since.UTC().Format(time.RFC3339)) {
		t.Errorf("%q", got)
	}
	if got := ask("/metrics"); !strings.Contains(got, "towpath_stale_seconds 36") {
		t.Error("the metric is missing")
	}
}
