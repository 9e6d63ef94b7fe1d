package lsp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/lang/span"
)

// editor drives a server over pipes, with the messages that editors send.
type editor struct {
	t       *testing.T
	root    string
	to      io.Writer
	from    *bufio.Reader
	ended   chan error
	id      int
	texts   map[string]string       // of open documents
	reports map[string][]diagnostic // the last published, by file
}

// open starts a server for a project with these files.
func start(t *testing.T, files map[string]string) *editor {
	t.Helper()
	e := &editor{t: t, root: t.TempDir(), ended: make(chan error, 1), texts: map[string]string{}, reports: map[string][]diagnostic{}}
	for name, text := range files {
		path := filepath.Join(e.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in, to := io.Pipe()
	from, out := io.Pipe()
	e.to, e.from = to, bufio.NewReader(from)
	go func() {
		err := Serve(context.Background(), in, out)
		out.Close()
		e.ended <- err
	}()
	t.Cleanup(func() { to.Close(); from.Close() })
	result := e.request("initialize", `{"processId":1,"capabilities":{},"initializationOptions":{"standardLibrary":true}}`)
	if !strings.Contains(string(result), `"hoverProvider":true`) {
		t.Fatalf("initialize: %s", result)
	}
	e.notify("initialized", `{}`)
	return e
}

func (e *editor) send(text string) {
	e.t.Helper()
	if _, err := fmt.Fprintf(e.to, "Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n%s", len(text), text); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) notify(method, params string) {
	e.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":%s}`, method, params))
}

// receive reads one message; published diagnostics are kept.
func (e *editor) receive() (id int, result json.RawMessage, refused *responseError, method string) {
	e.t.Helper()
	text, err := readFrame(e.from)
	if err != nil {
		e.t.Fatal(err)
	}
	var m struct {
		ID     int             `json:"id"`
		Method string          `json:"method"`
		Params publishParams   `json:"params"`
		Result json.RawMessage `json:"result"`
		Error  *responseError  `json:"error"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		e.t.Fatalf("%s: %v", text, err)
	}
	if m.Method == "textDocument/publishDiagnostics" {
		e.reports[e.name(m.Params.URI)] = m.Params.Diagnostics
	}
	return m.ID, m.Result, m.Error, m.Method
}

// try sends a request and waits for its response.
func (e *editor) try(method, params string) (json.RawMessage, *responseError) {
	e.t.Helper()
	e.id++
	e.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, e.id, method, params))
	for {
		if id, result, refused, _ := e.receive(); id == e.id {
			return result, refused
		}
	}
}

func (e *editor) request(method, params string) json.RawMessage {
	e.t.Helper()
	result, refused := e.try(method, params)
	if refused != nil {
		e.t.Fatalf("%s: %s", method, refused.Message)
	}
	return result
}

func (e *editor) uri(name string) string { return uriOf(filepath.Join(e.root, name)) }

func (e *editor) name(uri string) string {
	name, err := filepath.Rel(e.root, pathOf(uri))
	if err != nil {
		return uri
	}
	return filepath.ToSlash(name)
}

// didOpen opens a file as it is on the disk, or with a text.
func (e *editor) didOpen(name string, text ...string) {
	e.t.Helper()
	if len(text) == 0 {
		data, err := os.ReadFile(filepath.Join(e.root, name))
		if err != nil {
			e.t.Fatal(err)
		}
		text = []string{string(data)}
	}
	e.texts[name] = text[0]
	e.notify("textDocument/didOpen", fmt.Sprintf(`{"textDocument":{"uri":%q,"languageId":"tow","version":1,"text":%s}}`, e.uri(name), quoted(text[0])))
}

func (e *editor) didChange(name, text string) {
	e.texts[name] = text
	e.notify("textDocument/didChange", fmt.Sprintf(`{"textDocument":{"uri":%q,"version":2},"contentChanges":[{"text":%s}]}`, e.uri(name), quoted(text)))
}

// published waits for the next diagnostics of a file.
func (e *editor) published(name string) []diagnostic {
	e.t.Helper()
	delete(e.reports, name)
	for {
		if d, ok := e.reports[name]; ok {
			return d
		}
		e.receive()
	}
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// at is the parameters of a place: the end of the n'th occurrence of a text,
// counted from 1, less back bytes.
func (e *editor) at(name, text string, n, back int) string {
	e.t.Helper()
	return fmt.Sprintf(`{"textDocument":{"uri":%q},"position":%s}`, e.uri(name), e.position(name, text, n, back))
}

func (e *editor) position(name, text string, n, back int) string {
	e.t.Helper()
	offset := 0
	for range n {
		i := strings.Index(e.texts[name][offset:], text)
		if i < 0 {
			e.t.Fatalf("%q stands not %d times in %s", text, n, name)
		}
		offset += i + len(text)
	}
	p, err := json.Marshal(positionOf(span.NewFile(name, []byte(e.texts[name])), offset-back))
	if err != nil {
		e.t.Fatal(err)
	}
	return string(p)
}

// into decodes a result.
func into[T any](t *testing.T, text json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

var shop = map[string]string{
	"tow.toml": "name = \"shop\"\n",
	"market/types.tow": `/// What is for sale.
pub type Offer {
  id: OfferId
  /// With tax.
  price: Money
}

pub type OfferId(String)

pub type Condition = New | Used(grade: Int)
`,
	"shop.tow": `import market/types.{Offer, OfferId}

service Catalog {
  /// All offers.
  fn offers(product: String) -> List<Offer> within 40ms
}

/// The cheapest offer of a product. 🛒
view cheapest(product: String) -> Offer? within 50ms {
  let offers = Catalog.offers(product) else []
  offers |> minBy(o => o.price)
}

fn doubled(price: Money) -> Money {
  price * 2
}

test "none" {
  given Catalog.offers(_) = []
  expect cheapest("🛒 lamp") == None && doubled(1 USD) == 2 USD
}

pub fn text(id: OfferId) -> String {
  id.value
}
`,
}

func TestDiagnostics(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow")
	e.didOpen("market/types.tow")
	// The project has no mistakes, so nothing is published until there is one.
	e.didChange("shop.tow", strings.Replace(e.texts["shop.tow"], "price * 2", "prise * 2", 1))
	got := e.published("shop.tow")
	if len(got) != 1 || got[0].Code != "TW0201" || !strings.Contains(got[0].Message, "did you mean `price`?") {
		t.Fatalf("published %+v", got)
	}
	if r := got[0].Range; r.Start != (position{14, 2}) || r.End != (position{14, 7}) {
		t.Errorf("at %+v", r)
	}
	actions := into[[]codeAction](t, e.request("textDocument/codeAction",
		fmt.Sprintf(`{"textDocument":{"uri":%q},"range":{"start":{"line":14,"character":3},"end":{"line":14,"character":3}},"context":{"diagnostics":[]}}`, e.uri("shop.tow"))))
	if len(actions) != 1 || actions[0].Edit.Changes[e.uri("shop.tow")][0].NewText != "price" {
		t.Errorf("code actions %+v", actions)
	}

	// A change in one document is a mistake in another that uses it.
	e.didChange("shop.tow", shop["shop.tow"])
	if got := e.published("shop.tow"); len(got) != 0 {
		t.Errorf("after mending: %+v", got)
	}
	e.didChange("market/types.tow", strings.Replace(shop["market/types.tow"], "price: Money", "cost: Money", 1))
	if got := e.published("shop.tow"); len(got) == 0 || !strings.Contains(got[0].Message, "price") {
		t.Errorf("after renaming a field by hand: %+v", got)
	}
	// Closing it brings the disk's text back.
	e.notify("textDocument/didClose", fmt.Sprintf(`{"textDocument":{"uri":%q}}`, e.uri("market/types.tow")))
	if got := e.published("shop.tow"); len(got) != 0 {
		t.Errorf("after closing: %+v", got)
	}
	e.shutdown()
}

func (e *editor) shutdown() {
	e.t.Helper()
	e.request("shutdown", `null`)
	if _, refused := e.try("textDocument/hover", e.at("shop.tow", "cheapest", 1, 2)); refused == nil {
		e.t.Error("after shutdown, hover is answered")
	}
	e.notify("exit", `null`)
	if err := <-e.ended; err != nil {
		e.t.Errorf("the server ended with %v", err)
	}
}

func TestHover(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow")
	for _, c := range []struct {
		text    string
		n, back int
		want    []string
	}{
		{"cheapest", 2, 2, []string{"view cheapest(product: String) -> Offer? within 50ms", "The cheapest offer", "- `shop.Catalog.offers`, guarded by an `else`"}},
		{"minBy", 1, 2, []string{"fn minBy<T", "```tow"}},
		{"o.price", 1, 2, []string{"price: Money", "With tax."}},
		{"Catalog.offers", 1, 2, []string{"fn offers(product: String) -> List<Offer> within 40ms", "All offers."}},
		{"Catalog", 2, 2, []string{"service Catalog {"}},
		{"Offer?", 1, 2, []string{"pub type Offer {\n  id: OfferId\n  price: Money\n}", "What is for sale."}},
		{"  offers |>", 1, 5, []string{"offers: List<Offer>"}},
		{"market/types", 1, 2, []string{"module market/types"}},
		{"2 USD", 1, 1, []string{"```tow\nMoney\n```"}},
		{"lamp\") ==", 1, 6, []string{"String"}},
	} {
		result := e.request("textDocument/hover", e.at("shop.tow", c.text, c.n, c.back))
		text := into[hoverResult](t, result).Contents.Value
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("hover at %q: %q, want %q in it", c.text, text, want)
			}
		}
	}
	if got := e.request("textDocument/hover", e.at("shop.tow", "}\n\nfn", 1, 4)); string(got) != "null" {
		t.Errorf("hover at nothing: %s", got)
	}
}

func TestDefinition(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow")
	for _, c := range []struct {
		text    string
		n, back int
		file    string
		at      position
	}{
		{"-> Offer?", 1, 3, "market/types.tow", position{1, 9}},
		{"o.price", 1, 1, "market/types.tow", position{4, 2}},
		{"offers |>", 1, 5, "shop.tow", position{9, 6}},
		{"cheapest(\"", 1, 3, "shop.tow", position{8, 5}},
		{"given Catalog.offers", 1, 1, "shop.tow", position{4, 5}},
	} {
		got := into[location](t, e.request("textDocument/definition", e.at("shop.tow", c.text, c.n, c.back)))
		if e.name(got.URI) != c.file || got.Range.Start != c.at {
			t.Errorf("definition of %q: %s %+v", c.text, got.URI, got.Range.Start)
		}
	}
	std := into[location](t, e.request("textDocument/definition", e.at("shop.tow", "minBy", 1, 1)))
	if std.URI != "tow-std:/std/list.tow" {
		t.Errorf("definition of minBy: %+v", std)
	}
	text := into[string](t, e.request("tow/source", fmt.Sprintf(`{"uri":%q}`, std.URI)))
	if line := strings.Split(text, "\n")[std.Range.Start.Line]; !strings.Contains(line, "minBy") {
		t.Errorf("minBy is defined by %q", line)
	}
	if got := e.request("textDocument/definition", e.at("shop.tow", "50ms", 1, 1)); string(got) != "null" {
		t.Errorf("definition of a literal: %s", got)
	}
}

func TestCompletion(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow")
	for _, c := range []struct {
		what, from, to string   // the change that is being typed; the cursor is at its end
		want, not      []string // labels
	}{
		{"names", "  offers |> minBy", "  o", []string{"offers", "product", "cheapest", "Offer", "Catalog", "list", "Some", "let"}, nil},
		{"a record's fields", "o => o.price", "o => o.", []string{"id", "price"}, []string{"offers"}},
		{"a begun name of a field", "o => o.price", "o => o.pr", []string{"id", "price"}, []string{"offers"}},
		{"a service's operations", "Catalog.offers(product)", "Catalog.", []string{"offers"}, []string{"product"}},
		{"the standard library's module", "price * 2", "money.", []string{"sum", "round"}, []string{"price"}},
		{"a pipe", "offers |> minBy(o => o.price)", "offers |> ", []string{"map", "filter", "minBy"}, []string{"doubled", "cheapest"}},
		{"a pipe's function of the module", "price * 2", "price |> ", []string{"doubled", "abs"}, []string{"map"}},
		{"modules", "import market/types.{Offer, OfferId}", "import market/", []string{"types"}, nil},
		{"a module's names", "import market/types.{Offer, OfferId}", "import market/types.{Offer, ", []string{"OfferId", "Condition", "Used"}, []string{"shop"}},
		{"nothing in a string", "\"none\"", "\"no", nil, []string{"offers", "let"}},
		{"nothing in a comment", "/// All offers.", "/// All o", nil, []string{"offers", "let"}},
	} {
		i := strings.Index(shop["shop.tow"], c.from)
		if i < 0 {
			t.Fatalf("%s: %q does not occur", c.what, c.from)
		}
		text := shop["shop.tow"][:i] + c.to + shop["shop.tow"][i+len(c.from):]
		e.didChange("shop.tow", text)
		place, err := json.Marshal(positionOf(span.NewFile("", []byte(text)), i+len(c.to)))
		if err != nil {
			t.Fatal(err)
		}
		items := into[[]completionItem](t, e.request("textDocument/completion",
			fmt.Sprintf(`{"textDocument":{"uri":%q},"position":%s,"context":{"triggerKind":1}}`, e.uri("shop.tow"), place)))
		var labels []string
		for _, item := range items {
			labels = append(labels, item.Label)
		}
		for _, want := range c.want {
			if !slices.Contains(labels, want) {
				t.Errorf("%s: no %q among %v", c.what, want, labels)
			}
		}
		for _, not := range c.not {
			if slices.Contains(labels, not) {
				t.Errorf("%s: %q among %v", c.what, not, labels)
			}
		}
	}
}

func TestRename(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow")
	rename := func(text string, n, back int, to string) (map[string][]string, *responseError) {
		params := strings.TrimSuffix(e.at("shop.tow", text, n, back), "}") + fmt.Sprintf(`,"newName":%q}`, to)
		result, refused := e.try("textDocument/rename", params)
		if refused != nil {
			return nil, refused
		}
		edits := map[string][]string{}
		for uri, changes := range into[workspaceEdit](t, result).Changes {
			for _, c := range changes {
				edits[e.name(uri)] = append(edits[e.name(uri)], fmt.Sprintf("%d:%d %s", c.Range.Start.Line, c.Range.Start.Character, c.NewText))
			}
		}
		return edits, nil
	}
	got, refused := rename("o.price", 1, 1, "cost")
	if refused != nil || fmt.Sprint(got) != "map[market/types.tow:[4:2 cost] shop.tow:[10:25 cost]]" {
		t.Errorf("rename of a field: %v, %v", got, refused)
	}
	got, refused = rename("-> Offer?", 1, 3, "Bid")
	if refused != nil || len(got["market/types.tow"]) != 1 || len(got["shop.tow"]) != 3 {
		t.Errorf("rename of a type: %v, %v", got, refused)
	}
	for _, c := range []struct {
		text    string
		n, back int
		to, why string
	}{
		{"minBy", 1, 1, "smallest", "belongs to the standard library"},
		{"o.price", 1, 1, "Cost", "begins with a small letter"},
		{"-> Offer?", 1, 3, "bid", "begins with a capital letter"},
		{"50ms", 1, 1, "x", "there is no name here"},
	} {
		if got, refused := rename(c.text, c.n, c.back, c.to); refused == nil || !strings.Contains(refused.Message, c.why) {
			t.Errorf("rename of %q to %q: %v, %v, want a refusal with %q", c.text, c.to, got, refused, c.why)
		}
	}
	prepared := into[prepareRenameResult](t, e.request("textDocument/prepareRename", e.at("shop.tow", "o.price", 1, 1)))
	if prepared.Placeholder != "price" {
		t.Errorf("prepareRename: %+v", prepared)
	}
	refs := into[[]location](t, e.request("textDocument/references",
		strings.TrimSuffix(e.at("shop.tow", "cheapest", 2, 1), "}")+`,"context":{"includeDeclaration":true}}`))
	if len(refs) != 2 {
		t.Errorf("references: %+v", refs)
	}
}

// TestRenameShorthand renames what a record's `name` alone names twice.
func TestRenameShorthand(t *testing.T) {
	e := start(t, map[string]string{"tow.toml": "name = \"a\"", "a.tow": `type Point { x: Int, y: Int }

fn point(x: Int) -> Point {
  Point { x, y: x }
}

fn across(p: Point) -> Int {
  match p {
    Point { x, .. } -> x
  }
}

test "both" {
  expect across(point(1)) == 1
}
`})
	e.didOpen("a.tow")
	apply := func(text string, n int, to string) string {
		params := strings.TrimSuffix(e.at("a.tow", text, n, 1), "}") + fmt.Sprintf(`,"newName":%q}`, to)
		edits := into[workspaceEdit](t, e.request("textDocument/rename", params)).Changes[e.uri("a.tow")]
		out := e.texts["a.tow"]
		file := span.NewFile("a.tow", []byte(out))
		slices.SortFunc(edits, func(a, b textEdit) int { return offsetOf(file, b.Range.Start) - offsetOf(file, a.Range.Start) })
		for _, c := range edits {
			out = out[:offsetOf(file, c.Range.Start)] + c.NewText + out[offsetOf(file, c.Range.End):]
		}
		return out
	}
	field := apply("{ x", 1, "left")
	for _, want := range []string{"type Point { left: Int", "Point { left: x, y: x }", "Point { left: x, .. } -> x"} {
		if !strings.Contains(field, want) {
			t.Errorf("renaming the field: no %q in\n%s", want, field)
		}
	}
	parameter := apply("point(x", 1, "left")
	for _, want := range []string{"fn point(left: Int)", "Point { x: left, y: left }", "Point { x, .. } -> x"} {
		if !strings.Contains(parameter, want) {
			t.Errorf("renaming the parameter: no %q in\n%s", want, parameter)
		}
	}
}

func TestFormattingAndSymbols(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow", "fn  one()->Int{ 1 }\ntype A=B|C(n:Int)\n")
	edits := into[[]textEdit](t, e.request("textDocument/formatting", fmt.Sprintf(`{"textDocument":{"uri":%q},"options":{"tabSize":8}}`, e.uri("shop.tow"))))
	want := "fn one() -> Int {\n  1\n}\n\ntype A = B | C(n: Int)\n"
	if len(edits) != 1 || edits[0].NewText != want || edits[0].Range != (textRange{position{0, 0}, position{2, 0}}) {
		t.Errorf("formatting: %+v", edits)
	}
	symbols := into[[]documentSymbol](t, e.request("textDocument/documentSymbol", fmt.Sprintf(`{"textDocument":{"uri":%q}}`, e.uri("shop.tow"))))
	if len(symbols) != 2 || symbols[0].Name != "one" || symbols[1].Name != "A" || len(symbols[1].Children) != 2 || symbols[1].Children[1].Name != "C" {
		t.Errorf("symbols: %+v", symbols)
	}
	e.didChange("shop.tow", want)
	if edits := into[[]textEdit](t, e.request("textDocument/formatting", fmt.Sprintf(`{"textDocument":{"uri":%q}}`, e.uri("shop.tow")))); len(edits) != 0 {
		t.Errorf("formatting what is formatted: %+v", edits)
	}
	e.didChange("shop.tow", "fn (")
	if _, refused := e.try("textDocument/formatting", fmt.Sprintf(`{"textDocument":{"uri":%q}}`, e.uri("shop.tow"))); refused == nil {
		t.Error("a document with syntax errors is formatted")
	}
}

// TestLoneFile serves a file that lies in no project, and looks at no other.
func TestLoneFile(t *testing.T) {
	e := start(t, map[string]string{"a.tow": "fn a() -> Int { 1 }", "b.tow": "fn b() -> Int { \"\" }"})
	e.didOpen("a.tow", "pub fn a() -> Int { true }")
	if got := e.published("a.tow"); len(got) != 1 || got[0].Code != "TW0301" {
		t.Errorf("published %+v", got)
	}
	if len(e.reports) != 1 {
		t.Errorf("published for others: %+v", e.reports)
	}
}

func TestBadToml(t *testing.T) {
	e := start(t, map[string]string{"tow.toml": "nmae = \"shop\"", "a.tow": ""})
	e.didOpen("a.tow")
	if got := e.published("tow.toml"); len(got) != 1 || !strings.Contains(got[0].Message, "nmae") {
		t.Errorf("published %+v", got)
	}
}

func TestBadMessages(t *testing.T) {
	e := start(t, shop)
	if _, refused := e.try("textDocument/inlayHint", `{}`); refused == nil || refused.Code != methodNotFound {
		t.Errorf("an unknown method: %+v", refused)
	}
	if _, refused := e.try("textDocument/hover", `{"textDocument":7}`); refused == nil || refused.Code != invalidParams {
		t.Errorf("bad parameters: %+v", refused)
	}
	if _, refused := e.try("textDocument/hover", `{"textDocument":{"uri":"file:///nowhere.tow"}}`); refused == nil {
		t.Error("hover in a document that is not open")
	}
	e.notify("textDocument/didChange", `7`)
	e.notify("$/cancelRequest", `{"id":1}`)
	e.shutdownWithout()
}

func (e *editor) shutdownWithout() {
	e.t.Helper()
	e.notify("exit", `null`)
	if err := <-e.ended; err == nil {
		e.t.Error("leaving without shutdown is no error")
	}
}

// TestHalfWritten asks all there is to ask about a document that is being
// written, one more word at a time.
func TestHalfWritten(t *testing.T) {
	e := start(t, shop)
	e.didOpen("shop.tow")
	text := shop["shop.tow"]
	for i := range text {
		if i%7 != 0 {
			continue
		}
		e.didChange("shop.tow", text[:i])
		place, err := json.Marshal(positionOf(span.NewFile("", []byte(text[:i])), i))
		if err != nil {
			t.Fatal(err)
		}
		params := fmt.Sprintf(`{"textDocument":{"uri":%q},"position":%s}`, e.uri("shop.tow"), place)
		for _, method := range []string{"hover", "definition", "completion", "documentSymbol", "references"} {
			if _, refused := e.try("textDocument/"+method, params); refused != nil {
				t.Errorf("%s after %q: %s", method, text[max(0, i-20):i], refused.Message)
			}
		}
		e.try("textDocument/prepareRename", params)
	}
}

func TestPositions(t *testing.T) {
	f := span.NewFile("a.tow", []byte("a🛒é\r\nb"))
	for offset, want := range map[int]position{0: {0, 0}, 1: {0, 1}, 5: {0, 3}, 7: {0, 4}, 9: {1, 0}, 10: {1, 1}} {
		if got := positionOf(f, offset); got != want {
			t.Errorf("position of %d: %+v, want %+v", offset, got, want)
		}
		if got := offsetOf(f, want); got != offset {
			t.Errorf("offset of %+v: %d, want %d", want, got, offset)
		}
	}
	for p, want := range map[position]int{{0, 2}: 1, {0, 99}: 7, {7, 0}: 10} {
		if got := offsetOf(f, p); got != want {
			t.Errorf("offset of %+v: %d, want %d", p, got, want)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add("Content-Length: 2\r\n\r\n{}")
	f.Add("content-length: -1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		b := bufio.NewReader(strings.NewReader(text))
		for range 100 {
			if _, err := readFrame(b); err != nil {
				return
			}
		}
	})
}

// TestBrokenMessage: a frame that holds no message is answered, and those behind
// it are served.
func TestBrokenMessage(t *testing.T) {
	var out bytes.Buffer
	in := strings.NewReader("Content-Length: 5\r\n\r\n{oops" +
		"Content-Length: 44\r\n\r\n" + `{"jsonrpc":"2.0","id":7,"method":"shutdown"}` +
		"Content-Length: 33\r\n\r\n" + `{"jsonrpc":"2.0","method":"exit"}`)
	if err := Serve(context.Background(), in, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"code":-32700`, `"id":null`, `"id":7`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}
