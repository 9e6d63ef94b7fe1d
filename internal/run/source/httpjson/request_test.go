package httpjson

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
)

// TestRequests says what one call becomes.
func TestRequests(t *testing.T) {
	all := []abi.Field{product, region, query, limit, extra, tags, price}
	args := func(product, region, extra string) string {
		return `[` + product + `,` + region + `,{"text":"a b","page":2},7,` + extra + `,["x","y&z"],{"amount":"1.50","currency":"EUR"}]`
	}
	usual := args(`"p1"`, `"eu"`, `null`)
	for _, c := range []struct{ op, args, want string }{
		{`get = "/lowest/{product}?region={region}&q={query.text}"`, usual, "GET /base/lowest/p1?region=eu&q=a%20b"},
		{`get = "/lowest/{product}?region={region}&q={query.text}"`, args(`"p1"`, `null`, `null`), "GET /base/lowest/p1?q=a%20b"},
		{`get = "/{product}"`, args(`"a/b?c#d%e&f=g+h é"`, `null`, `null`), "GET /base/a%2Fb%3Fc%23d%25e%26f%3Dg%2Bh%20%C3%A9"},
		{`get = "/{product}"`, args(`"\u0061\n\"{region}"`, `null`, `null`), "GET /base/a%0A%22%7Bregion%7D"},
		{`get = "/x?q={product}"`, args(`"a&b=c"`, `null`, `null`), "GET /base/x?q=a%26b%3Dc"},
		{`get = "/{max}/{product}.json?page={query.page}&fixed=1&flag"`, usual, "GET /base/7/p1.json?page=2&fixed=1&flag"},
		{`get = "/at;v=1/a%20b/{product}@{region}"`, usual, "GET /base/at;v=1/a%20b/p1@eu"},
		{`get = "/x?tag={tags}&n={max}"`, usual, "GET /base/x?tag=x&tag=y%26z&n=7"},
		{`get = "/x?range={query.page}-{max}"`, usual, "GET /base/x?range=2-7"},
		{`get = "/x?range={region}-{max}&a=b"`, args(`"p"`, `null`, `null`), "GET /base/x?a=b"},
		{`get = "/x?e={extra}"`, args(`"p"`, `null`, `true`), "GET /base/x?e=true"},
		{`get = "/x?e={extra}"`, args(`"p"`, `null`, `1.50e3`), "GET /base/x?e=1.50e3"},
		{`get = "/x?e={extra}"`, args(`"p"`, `null`, `[1,null,"a"]`), "GET /base/x?e=1&e=a"},
		{`get = "/x?e={extra.deep.er}"`, args(`"p"`, `null`, `{"deep":{"er":"!"}}`), "GET /base/x?e=%21"},
		{`get = "/x?e={extra.deep}"`, args(`"p"`, `null`, `5`), "GET /base/x"},
		{`get = "/x?p={price.amount}&c={price.currency}"`, usual, "GET /base/x?p=1.50&c=EUR"},
		{`get = "?q={product}"`, usual, "GET /base?q=p1"},
		{`get = ""`, usual, "GET /base"},
		{`post = "/x"`, args(`"p"`, `null`, `null`),
			`POST /base/x application/json {"product":"p","query":{"text":"a b","page":2},"max":7,"extra":null,"tags":["x","y&z"],"price":{"amount":"1.50","currency":"EUR"}}`},
		{"put = \"/x\"\nbody = ' [1, \"{product}\" ,\"{ region }\", \"{query.text}!\", \"{extra}\", {\"a\" : \"{tags}\"}] '", usual,
			`PUT /base/x application/json  [1, "p1" ,"{ region }", "{query.text}!", null, {"a" : ["x","y&z"]}] `},
		{"post = \"\"\nbody = '{\"query\": \"{hero(id: 1)}\", \"v\": \"{query.page}\"}'\nheaders = { Content-Type = \"application/x+json\" }", usual,
			`POST /base application/x+json {"query": "{hero(id: 1)}", "v": 2}`},
	} {
		var got string
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.RequestURI
			if r.Method != "GET" {
				got += " " + r.Header.Get("Content-Type") + " " + string(body)
				if int(r.ContentLength) != len(body) {
					t.Errorf("the length of %s is %d", body, r.ContentLength)
				}
			}
			io.WriteString(w, "{}")
		})
		caller := bind(t, strings.TrimSuffix(url, `"`)+`/base/"`, c.op, tString, all...)
		if a := ask(t, context.Background(), caller, c.args)[0]; a.err != nil || got != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.op, got, a.err, c.want)
		}
	}
}

// TestArgumentsThatHaveNoPlace fails calls without asking.
func TestArgumentsThatHaveNoPlace(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	for _, c := range []struct{ get, args, want string }{
		{"/{product}", `[null,{}]`, "the argument `product` is null, and the path has no place for that"},
		{"/{product}", `["",{}]`, "the argument `product` is empty"},
		{"/{product}/x", `["..",{}]`, "the argument `product` makes `..` of a part of the path"},
		{"/.{product}", `[".",{}]`, "makes `..` of a part"},
		{"/{extra}", `["p",{"a":1}]`, "the argument `extra` is an object; expected a text, a number, true or false"},
		{"/{extra}", `["p",[1]]`, "the argument `extra` is a list"},
		{"/x?e={extra}", `["p",{}]`, "the argument `extra` is an object"},
		{"/x?e={extra}", `["p",[[1]]]`, "is a list with a list in it"},
		{"/x?e=a{extra}", `["p",[1]]`, "the argument `extra` is a list"},
		{"/x?e={extra.a}", `["p",{"a":1,"a":2}]`, "the argument `extra.a`: expected one member \"a\""},
		{"/x", `["p"]`, "other arguments than the 2 expected"},
		{"/x", `["p",`, "the arguments are no JSON"},
	} {
		caller := bind(t, url, `get = "`+c.get+`"`, tString, product, extra)
		wantError(t, ask(t, context.Background(), caller, c.args)[0], source.Failed, c.want)
	}
}

func TestHeaders(t *testing.T) {
	var got http.Header
	var host, uri string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, host, uri = r.Header, r.Host, r.RequestURI
		io.WriteString(w, "1")
	})
	url = strings.Replace(strings.TrimSuffix(url, `"`), "http://", "http://us%3Aer:pa%40ss@", 1) + `/v1?key=k"`
	caller := bind(t, url+"\nheaders = { X-Team = \"blue\", x-both = \"source\" }",
		"get = \"/x?q={product}\"\nheaders = { X-Both = \"operation\", host = \"other.example\", accept = \"text/x\" }", tInt, product)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	about := source.About{Request: "r-1", Criticality: "sheddable", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	if a := askAbout(t, ctx, caller, about, `["p"]`)[0]; a.text != "1" {
		t.Fatal(a.err)
	}
	for name, want := range map[string]string{
		"Towpath-Request": "r-1", "Towpath-Criticality": "sheddable", "Traceparent": about.TraceParent,
		"X-Team": "blue", "X-Both": "operation", "Accept": "text/x", "Accept-Encoding": "gzip", "User-Agent": "towpath",
		"Authorization": "Basic dXM6ZXI6cGFAc3M=", "Host": "",
	} {
		if strings.Join(got[name], "|") != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if host != "other.example" || uri != "/v1/x?key=k&q=p" {
		t.Errorf("%s is asked of %s", uri, host)
	}
	if ms, err := strconv.Atoi(got.Get("Towpath-Deadline")); err != nil || ms < 1 || ms > 5000 {
		t.Errorf("the deadline is %q", got["Towpath-Deadline"])
	}

	// Without a deadline it is the source's timeout; what no header can carry is
	// left out.
	askAbout(t, context.Background(), caller, source.About{Request: "a\nb"}, `["p"]`)
	if got.Get("Towpath-Deadline") != "10000" || got["Towpath-Request"] != nil || got["Traceparent"] != nil || got.Get("Towpath-Criticality") != "default" {
		t.Errorf("headers without much: %v", got)
	}
}

func TestMistakes(t *testing.T) {
	const fine = `url = "http://127.0.0.1:1"`
	for _, c := range []struct{ src, op, want string }{
		{``, `get = "/"`, "1:2: `source` is missing its `url`"},
		{`url = "ftp://x"`, `get = "/"`, "2:1: `url` starts with neither http:// nor https://"},
		{`url = "http://u:secret@x:y"`, `get = "/"`, "2:1: `url` is no URL; expected one such as \"https://prices.internal/v2\""},
		{`url = "http:///x"`, `get = "/"`, "2:1: `url` names no host; expected one as in \"https://prices.internal/v2\""},
		{`url = "http://x#y"`, `get = "/"`, "2:1: `url` has a fragment after `#`, which is never sent; leave it out"},
		{fine + "\nheaders = { Towpath-Request = \"x\", \"a b\" = \"x\", c = \"secret\\n\" }", `get = "/"`,
			"3:13: the header `Towpath-Request` cannot be set: it is said of each call|" +
				"3:36: `a b` is no name of a header|" +
				"3:49: the header `c` has a line break or another control character in it"},
		{fine + "\nca = \"x.pem\"", `get = "/"`, "3:1: `ca` is for https, and `url` starts with http://"},
		{"url = \"https://x\"\nca = \"absent.pem\"\ncert = \"httpjson.go\"", `get = "/"`,
			"3:1: `ca` cannot be read: open absent.pem: no such file or directory|4:1: `cert` and `key` go together; one of them is missing"},
		{"url = \"https://x\"\nca = \"httpjson.go\"", `get = "/"`, "3:1: `ca` has no certificate in it; expected PEM, -----BEGIN CERTIFICATE-----"},
		{fine + "\nprobe = \"health\"\ntiemout = \"1s\"", `get = "/"`,
			"3:1: `probe` starts with neither `/` nor `?`; it is a path below `url`|" +
				"4:1: there is no setting `tiemout` in `source`; there is `ca`, `cert`, `connections`, `headers`, `http2`, `key`, `max_answer`, `probe`, `timeout`, `url`"},

		{fine, ``, "3:2: `op` says nothing to ask; it needs one of `get`, `post` and `put`"},
		{fine, "get = \"/\"\npost = \"/\"", "5:1: `op` has both `get` and `post`; it needs one of `get`, `post` and `put`"},
		{fine, "get = \"/\"\nbody = '{}'", "5:1: `body` goes with `post` or `put`, and `op` has neither"},
		{fine, `get = "lowest"`, "4:1: `get` starts with neither `/` nor `?`; it is a path below the `url` of its source"},
		{fine, `get = "/{prodct}"`, "4:1: `get`: there is no parameter `prodct`; did you mean `product`? There is `product`, `query`, `tags`, `price`"},
		{fine, `get = "/{query.txt}"`, "4:1: `get`: there is no member `txt`; did you mean `text`? There is `text`, `page` in Query"},
		{fine, `get = "/{product.x}"`, "4:1: `get`: a String has no member `x`"},
		{fine, `get = "/{query}"`, "4:1: `get`: `{query}` is a Query, which is an object; name a member of it, as `{query.text}`"},
		{fine, `get = "/?p={price}"`, "4:1: `get`: `{price}` is a Money, which is an object; name a member of it, as `{price.amount}`"},
		{fine, `get = "/{tags}"`, "4:1: `get`: `{tags}` is a List<String>, for which a URL has no place here"},
		{fine, `get = "/?a=x{tags}"`, "4:1: `get`: `{tags}` is a List<String>, for which a URL has no place here"},
		{fine, `get = "/{product"`, "4:1: `get`: a `{` is never closed"},
		{fine, `get = "/product}"`, "4:1: `get`: a `}` has no `{` before it"},
		{fine, `get = "/a b"`, "4:1: `get` has a blank in it, which no URL can; write it as %XX"},
		{fine, `get = "/a%2"`, "4:1: `get` has a `%` without two hexadecimal digits in it, which no URL can; write it as %XX"},
		{fine, `get = "/?{product}=1"`, "4:1: `get`: a placeholder stands for the value of a pair, as in `?region={region}`"},
		{fine, `get = "/{product[]}"`, "4:1: `get`: `{product[]}` is of many calls, which only a `batch` is; write `{product}`"},
		{fine, "post = \"/\"\nbody = '{\"a\": \"{prduct}\"'", "5:1: `body` is no JSON: expected `,` or `}` at byte 17, found the end of the text"},
		{fine, "post = \"/\"\nbody = '{\"a\": \"{prduct}\"}'", "5:1: `body`: there is no parameter `prduct`; did you mean `product`? There is `product`, `query`, `tags`, `price`"},
		{fine, "post = \"/\"\nbody = '{\"{product}\": 1}'", "5:1: `body`: \"{product}\" is a member's name, where no placeholder can stand"},
		{fine, "get = \"/\"\nanswer = \"price\"", "5:1: `answer`: \"price\" is no JSON Pointer; it starts with a slash: \"/price\""},
		{fine, "get = \"/\"\nnone = [\"404\", \"x\"]\nmissing = \"none\"",
			"5:1: `none` has \"x\" in it; expected statuses from 200 to 599, as [\"404\"]|" +
				"5:1: `none` makes null the answer, and `ask` never gives null; declare its result as `Money?`|" +
				"6:1: `missing` makes null the answer, and `ask` never gives null; declare its result as `Money?`"},
		{fine, `batch = { get = "/{product}" }`, "4:11: `get`: `{product}` is of one call, and a batch is of many; write `{product[]}`"},
		{fine, `batch = { get = "/{product[]}" }`, "4:11: `get`: in a path, all calls' values stand with commas between them; write `{product[,]}`"},
		{fine, `batch = { get = "/?a=x{product[]}" }`, "4:11: `get`: `{product[]}` gives a pair a call and stands alone after its `=`"},
		{fine, `batch = { post = "/", body = '["{product[,]}"]' }`, "4:23: `body`: values with commas between them are for URLs; write `{product[]}` for an array"},
		{fine, `batch = { post = "/", key = "/id" }`, "4:23: `key` says where an item names its call, but not by what; add `of`, the parameter whose value it is"},
		{fine, `batch = { post = "/", of = "query", keys = "/id" }`,
			"4:23: `of`: `{query}` is a Query, which is an object; name a member of it, as `{query.text}`|" +
				"4:37: there is no setting `keys` in `op.batch`; there is `answer`, `body`, `each`, `get`, `headers`, `key`, `missing`, `none`, `of`, `post`, `put`"},
		{fine, `batch = { answer = "/x" }`, "4:1: `op.batch` says nothing to ask; it needs one of `get`, `post` and `put`"},
	} {
		_, caller, err := open(t, Options{}, c.src, c.op, tMoney, product, query, tags, price)
		want := "env/test.toml:" + strings.ReplaceAll(c.want, "|", "\nenv/test.toml:")
		if err == nil || err.Error() != want {
			t.Errorf("%s / %s:\n%v\nwant:\n%s", c.src, c.op, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s says a secret", err)
		}
		if c.src == fine && caller != nil && !strings.Contains(c.want, "setting") {
			t.Errorf("%s: there is a caller", c.op)
		}
	}
}
