package httpjson

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"towpath.dev/internal/run/source"
)

// TestAnswers says what a response means.
func TestAnswers(t *testing.T) {
	ok := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
	}
	status := func(code int, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	const get = `get = "/x"`
	for _, c := range []struct {
		name, op string
		serve    http.HandlerFunc
		want     string // the answer, or
		kind     source.Kind
		message  string
		after    time.Duration
	}{
		{name: "whole", op: get, serve: ok(" {\"a\" : 1}\n"), want: `{"a" : 1}`},
		{name: "part", op: get + "\nanswer = \"/a/1\"", serve: ok(`{"a":[0,{"b":"é"}],"rest":[]}`), want: `{"b":"é"}`},
		{name: "nothing there", op: get + "\nanswer = \"/b\"", serve: ok(`{"a":1}`), kind: source.Unfit, message: "the response has nothing at /b"},
		{name: "nothing is none", op: get + "\nanswer = \"/b\"\nmissing = \"none\"", serve: ok(`{"a":1}`), want: "null"},
		{name: "twice", op: get + "\nanswer = \"/a\"", serve: ok(`{"a":1,"a":2}`), kind: source.Unfit, message: `expected one member "a" at byte 8, found a second`},
		{name: "broken behind it", op: get + "\nanswer = \"/a\"", serve: ok(`{"a":1,"b":}`), kind: source.Unfit, message: "expected a value at byte 12"},
		{name: "created", op: get, serve: status(201, `1`), want: "1"},
		{name: "empty", op: get, serve: status(204, ``), kind: source.Unfit, message: "the response is empty; expected JSON"},
		{name: "empty is none", op: get + "\nnone = [\"204\"]", serve: status(204, ``), want: "null"},
		{name: "html", op: get, serve: status(200, "<html>\n  <body>Log\x07 in", "Content-Type", "text/html; charset=utf-8"), kind: source.Unfit,
			message: "the response of text/html; charset=utf-8 is no JSON: expected a value at byte 1, found `<`: <html> <body>Log? in"},
		{name: "not found", op: get, serve: status(404, "no such\nthing"), kind: source.Refused, message: "404 Not Found: no such thing"},
		{name: "not found is none", op: get + "\nnone = [\"404\", \"410\"]", serve: status(404, "no such thing"), want: "null"},
		{name: "unauthorized", op: get, serve: status(401, ""), kind: source.Refused, message: "401 Unauthorized; what it wants to see goes into `headers`"},
		{name: "long excerpt", op: get, serve: status(500, strings.Repeat("ä", 1000)), kind: source.Failed, message: "500 Internal Server Error: " + strings.Repeat("ä", 98) + "…"},
		{name: "strange excerpt", op: get, serve: status(502, "\x1b[31mred\u202e\xff\x00"), kind: source.Failed, message: "502 Bad Gateway: ?[31mred???"},
		{name: "too many", op: get, serve: status(429, "", "Retry-After", "7"), kind: source.Unavailable, message: "429 Too Many Requests", after: 7 * time.Second},
		{name: "unavailable", op: get, serve: status(503, "busy", "Retry-After", " 1 "), kind: source.Unavailable, message: "503 Service Unavailable: busy", after: time.Second},
		{name: "forever", op: get, serve: status(503, "", "Retry-After", "99999999999999"), kind: source.Unavailable, after: longestPause},
		{name: "unavailable without a time", op: get, serve: status(503, "", "Retry-After", "soon"), kind: source.Unavailable},
		{name: "failed with a time", op: get, serve: status(500, "", "Retry-After", "7"), kind: source.Failed},
		{name: "redirect", op: get, serve: status(302, "", "Location", "https://user:secret@elsewhere.example/secret?secret"), kind: source.Refused,
			message: "302 Found to https://elsewhere.example, and redirects are not followed; set `url` to where the service is"},
		{name: "redirect within", op: get, serve: status(307, "", "Location", "/secret"), kind: source.Refused, message: "307 Temporary Redirect to another path, and redirects are not followed"},
		{name: "another coding", op: get, serve: status(200, "1", "Content-Encoding", "br"), kind: source.Unfit, message: `the response is encoded as "br", which was not asked for`},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller := bind(t, serve(t, c.serve), c.op, tMaybeMoney)
			a := ask(t, context.Background(), caller, `[]`)[0]
			if c.want != "" {
				if a.err != nil || a.text != c.want {
					t.Errorf("the answer is %s, %v; want %s", a.text, a.err, c.want)
				}
				return
			}
			wantError(t, a, c.kind, c.message)
			var e *source.Error
			if errors.As(a.err, &e); e.After != c.after {
				t.Errorf("it asks for a pause of %s; want %s", e.After, c.after)
			}
			if strings.Contains(a.err.Error(), "secret") {
				t.Errorf("%v says a secret", a.err)
			}
		})
	}
}

func TestRetryAfterAsDate(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"Fri, 27 Nov 2026 12:00:30 GMT": 30 * time.Second, "Fri, 27 Nov 2026 11:00:00 GMT": 0,
		"Sat, 27 Nov 2027 12:00:00 GMT": longestPause, "-1": 0, "": 0, "1.5": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %s; want %s", value, got, want)
		}
	}
}

// TestSideBySide shows calls without a batch under way together, no more than the
// source's connections, and their answers delivered as they come.
func TestSideBySide(t *testing.T) {
	const connections = 3
	arrived, release := make(chan string), make(chan struct{})
	var now, most atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		arrived <- r.URL.Path
		<-release
		now.Add(-1)
		io.WriteString(w, `"`+r.URL.Path+`"`)
	})
	caller := bind(t, url+fmt.Sprintf("\nconnections = %d", connections), `get = "/{product}"`, tString, product)
	var args []string
	for i := range 8 {
		args = append(args, fmt.Sprintf(`["%d"]`, i))
	}
	finished := make(chan []answer)
	go func() { finished <- ask(t, context.Background(), caller, args...) }()
	for range connections { // all of them wait before the first is let go
		<-arrived
	}
	for range len(args) - connections {
		release <- struct{}{}
		<-arrived
	}
	close(release)
	for i, a := range <-finished {
		if a.text != fmt.Sprintf(`"/%d"`, i) {
			t.Errorf("the answer of %d is %s, %v", i, a.text, a.err)
		}
	}
	if most.Load() != connections {
		t.Errorf("%d requests were under way at once", most.Load())
	}
}

// TestBatches says what a batch becomes, and what its response means.
func TestBatches(t *testing.T) {
	const three = `["a","eu"]|["b",null]|["c/d","eu"]`
	const keyed = "key = \"/product\"\nof = \"product\"\n"
	for _, c := range []struct {
		name, batch, args, asked, response string
		want                               []string // answers, or ! and what an error says
	}{
		{name: "in order", batch: `post = "/all"`, args: three,
			asked:    `POST /all {"calls":[{"product":"a","region":"eu"},{"product":"b"},{"product":"c/d","region":"eu"}]}`,
			response: ` [1, {"a" : 2} ,null] `, want: []string{"1", `{"a" : 2}`, "null"}},
		{name: "in order, some", batch: `post = "/all"`, args: three, response: `[1]`,
			want: []string{"1", "!the response has 1 items for 3 calls, none for this one", "!none for this one"}},
		{name: "in order, too many", batch: `post = "/all"`, args: three, response: `[1,2,3,4]`,
			want: []string{"!the response has 4 items for 3 calls", "!4 items", "!4 items"}},
		{name: "each", batch: "post = \"/all\"\nanswer = \"/items\"\neach = \"/price\"", args: three, response: `{"items":[{"price":1},{},{"price":null}]}`,
			want: []string{"1", "!the call's item has nothing at /price", "null"}},
		{name: "each, missing", batch: "post = \"/all\"\nanswer = \"/items\"\neach = \"/price\"\nmissing = \"none\"", args: three, response: `{"items":[{"price":1},{}]}`,
			want: []string{"1", "null", "!none for this one"}},
		{name: "in a query", batch: `get = "/all?id={product[]}&r={region[]}"`, args: `["a","x"]|["b&","y"]`, asked: "GET /all?id=a&id=b%26&r=x&r=y ", response: `[1,2]`, want: []string{"1", "2"}},
		{name: "with commas", batch: `get = "/all/{product[,]}?r=s-{region[,]}"`, args: `["a,","x"]|["b","y"]`, asked: "GET /all/a%2C,b?r=s-x,y ", response: `[1,2]`, want: []string{"1", "2"}},
		{name: "a call that has no place", batch: `get = "/all?id={product[]}&r={region[]}"`, args: `["a","x"]|["b",null]|["c","y"]`, asked: "GET /all?id=a&id=c&r=x&r=y ", response: `[1,2]`,
			want: []string{"1", "!the argument `region` is null, and the URL of the batch has no place for that", "2"}},
		{name: "no call has a place", batch: `get = "/all?r={region[]}"`, args: `["b",null]`, asked: "none", want: []string{"!is null"}},
		{name: "body", batch: "put = \"/all\"\nbody = '{\"ids\":\"{product[]}\",\"in\":[\"{region[]}\"],\"q\":\"{calls}\"}'", args: `["a","x"]|["b",null]`,
			asked: `PUT /all {"ids":["a","b"],"in":[["x",null]],"q":[{"product":"a","region":"x"},{"product":"b"}]}`, response: `[1,2]`, want: []string{"1", "2"}},
		{name: "by key", batch: `post = "/all"` + "\n" + keyed + `each = "/price"`, args: three,
			response: `[{"product":"c\/d","price":3},{"product":"other","price":0},{"price":1,"product":"a"}]`,
			want:     []string{"1", "!the response has no item whose /product is that of the call", "3"}},
		{name: "by key, missing", batch: `post = "/all"` + "\n" + keyed + `missing = "none"`, args: three, response: `[]`, want: []string{"null", "null", "null"}},
		{name: "by key, twice", batch: `post = "/all"` + "\n" + keyed, args: three, response: `[{"product":"a"},{"product":"b"},{"product":"a"}]`,
			want: []string{"!the response has two items whose /product is that of the call", `{"product":"b"}`, "!no item"}},
		{name: "by key, shared", batch: `post = "/all"` + "\n" + keyed, args: `["a","x"]|["a","y"]`, response: `[{"product":"a"}]`, want: []string{`{"product":"a"}`, `{"product":"a"}`}},
		{name: "by key, without", batch: `post = "/all"` + "\n" + keyed, args: three, response: `[{"product":"a"},{"id":1}]`,
			want: []string{"!item 1 of the response has no key at /product", "!item 1", "!item 1"}},
		{name: "by key, two keys", batch: `post = "/all"` + "\n" + keyed, args: `["a",null]`, response: `[{"product":"a","product":"b"}]`, want: []string{"!item 0 of the response: expected one member"}},
		{name: "by key, of null", batch: "post = \"/all\"\nkey = \"\"\nof = \"region\"", args: three, asked: `POST /all {"calls":[{"product":"a","region":"eu"},{"product":"c/d","region":"eu"}]}`,
			response: `["eu"]`, want: []string{`"eu"`, "!the argument `region` is null, by which no item of the response can be known", `"eu"`}},
		{name: "by name", batch: "post = \"/all\"\nof = \"product\"\neach = \"/p\"", args: three, response: `{"b":{"p":2},"c\u002fd":{"p":3},"x":{}}`,
			want: []string{"!the response has no item whose name is that of the call", "2", "3"}},
		{name: "by name, twice", batch: "post = \"/all\"\nof = \"product\"", args: three, response: `{"a":1,"b":2,"a":1,"c/d":4}`, want: []string{"!two items whose name is", "2", "4"}},
		{name: "no object", batch: "post = \"/all\"\nof = \"product\"", args: three, response: `[1,2,3]`,
			want: []string{"!the response is a list; expected an object with members by `product`", "!a list", "!a list"}},
		{name: "no array", batch: "post = \"/all\"\nanswer = \"/a\"", args: three, response: `{"a":{}}`, want: []string{"!the response is an object at /a; expected an array of items", "!an object", "!an object"}},
		{name: "nothing", batch: "post = \"/all\"\nanswer = \"/a\"\nmissing = \"none\"", args: three, response: `{}`, want: []string{"!the response has nothing at /a", "!nothing", "!nothing"}},
		{name: "no JSON", batch: `post = "/all"`, args: three, response: `[1,2,3`, want: []string{"!is no JSON: expected `,` or `]` at byte 7", "!no JSON", "!no JSON"}},
		{name: "refused", batch: `post = "/all"`, args: three, response: `404`, want: []string{"!404 Not Found", "!404", "!404"}},
		{name: "none", batch: "post = \"/all\"\nnone = [\"404\"]", args: three, response: `404`, want: []string{"null", "null", "null"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := "none"
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = r.Method + " " + r.RequestURI + " " + string(body)
				if c.response == "404" {
					w.WriteHeader(404)
				}
				io.WriteString(w, c.response)
			})
			caller := bind(t, url, "[op.batch]\n"+c.batch, tMaybeMoney, product, region)
			for i, a := range ask(t, context.Background(), caller, strings.Split(c.args, "|")...) {
				if message, failed := strings.CutPrefix(c.want[i], "!"); failed {
					if a.err == nil || !strings.Contains(a.err.Error(), message) {
						t.Errorf("the answer of %d is %s, %v; want an error that says %q", i, a.text, a.err, message)
					}
				} else if a.err != nil || a.text != c.want[i] {
					t.Errorf("the answer of %d is %s, %v; want %s", i, a.text, a.err, c.want[i])
				}
			}
			if c.asked != "" && asked != c.asked {
				t.Errorf("asked: %s\nwant:  %s", asked, c.asked)
			}
		})
	}
}

// TestBatchOfOneParameter needs no settings to find its answers.
func TestBatchOfOneParameter(t *testing.T) {
	for _, response := range []string{`[10,20,30]`, `{"3":30,"1":10,"2":20}`} {
		caller := bind(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, response) }),
			`batch = { get = "/all?id={max[]}" }`, tInt, limit)
		for i, a := range ask(t, context.Background(), caller, `[1]`, `[2]`, `[3]`) {
			if want := fmt.Sprint((i + 1) * 10); a.text != want {
				t.Errorf("%s: the answer of %d is %s, %v", response, i, a.text, a.err)
			}
		}
	}
}

// TestSingleBesideBatch asks one call alone by the operation's own request.
func TestSingleBesideBatch(t *testing.T) {
	var asked []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		io.WriteString(w, "[1,2]")
	})
	caller := bind(t, url, "get = \"/one/{product}\"\nanswer = \"/1\"\nbatch = { get = \"/all?id={product[]}\" }", tInt, product)
	one := ask(t, context.Background(), caller, `["a"]`)
	two := ask(t, context.Background(), caller, `["a"]`, `["b"]`)
	if one[0].text != "2" || two[0].text != "1" || two[1].text != "2" || !slices.Equal(asked, []string{"/one/a", "/all?id=a&id=b"}) {
		t.Errorf("answers %v %v of %q", one, two, asked)
	}
}

// TestManyKeys takes the way of batches with more keys than are looked for one by
// one.
func TestManyKeys(t *testing.T) {
	var args []string
	response := "["
	for i := range 3 * fewKeys {
		args = append(args, fmt.Sprintf(`["p%d","r"]`, i), fmt.Sprintf(`["p%d","s"]`, i))
		if i%2 == 0 {
			response += fmt.Sprintf(`{"product":"p%d"},`, 3*fewKeys-2-i)
		}
	}
	response += `{"product":"p0"}]`
	caller := bind(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, response) }),
		"[op.batch]\npost = \"/\"\nkey = \"/product\"\nof = \"product\"", tString, product, region)
	for i, a := range ask(t, context.Background(), caller, args...) {
		switch p := i / 2; {
		case p == 0:
			wantError(t, a, source.Unfit, "two items")
		case p%2 == 1:
			wantError(t, a, source.Unfit, "no item")
		case a.text != fmt.Sprintf(`{"product":"p%d"}`, p):
			t.Errorf("the answer of %d is %s, %v", i, a.text, a.err)
		}
	}
}
