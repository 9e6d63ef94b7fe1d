package serve

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/admit"
	"towpath.dev/internal/run/engine"
)

// view is an entry of a release, as it is served.
type view struct {
	name    string // qualified
	engine  *engine.View
	calls   bool
	cost    *admit.View
	metrics *viewMetrics
	tally   tally
	flat    []parameter // of the query; nil when some have no place there
	isFlat  bool
}

// parameter is one that a query can carry.
type parameter struct {
	name   string
	form   form
	list   bool
	option bool
}

// form is how a parameter's text becomes JSON.
type form uint8

const (
	asText   form = iota // in quotes
	asNumber             // as it is
	asBool
)

func (s *Server) viewOf(program string, r *Release, v *engine.View) *view {
	m := r.Engine.Manifest()
	name := v.Meta().QualifiedName()
	w := &view{name: name, engine: v, calls: v.Meta().Calls, cost: s.door.View(program + "/" + name),
		metrics: s.metrics.view(program, name)}
	w.flat, w.isFlat = parameters(&m.Schema, v.Meta().Input)
	return w
}

// parameters are those of a view whose input is flat.
func parameters(s *abi.Schema, input abi.TypeID) ([]parameter, bool) {
	var out []parameter
	for _, f := range s.Types[input].Fields {
		p := parameter{name: f.JSON}
		if p.name == "" {
			p.name = f.Name
		}
		id := f.Type
		if s.Types[id].Kind == abi.Option {
			id, p.option = s.Types[id].Elem, true
		}
		if k := s.Types[id].Kind; !p.option && (k == abi.List || k == abi.Set) {
			id, p.list = s.Types[id].Elem, true
		}
		for s.Types[id].Kind == abi.Wrapper {
			id = s.Types[id].Elem
		}
		switch s.Types[id].Kind {
		case abi.String, abi.Decimal, abi.Duration, abi.Instant, abi.Date, abi.Enum:
			p.form = asText
		case abi.Int, abi.Float:
			p.form = asNumber
		case abi.Bool:
			p.form = asBool
		default:
			return nil, false
		}
		out = append(out, p)
	}
	return out, true
}

func (v *view) allow() string {
	if v.isFlat {
		return "GET, POST"
	}
	return "POST"
}

// method refuses requests of another method, and bodies of another kind.
func (v *view) method(r *http.Request) *Problem {
	switch {
	case r.Method == http.MethodGet && v.isFlat:
		return nil
	case r.Method != http.MethodPost:
		return &Problem{Type: BadMethod, Status: http.StatusMethodNotAllowed,
			Detail: fmt.Sprintf("%s is asked by %s, not by %s", v.name, v.allow(), shorten(r.Method))}
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" || kind == "application/json" {
		return nil
	}
	if media, _, err := mime.ParseMediaType(kind); err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) {
		return nil
	}
	return &Problem{Type: BadMedia, Status: http.StatusUnsupportedMediaType,
		Detail: fmt.Sprintf("expected a body of the type application/json, found %s", shorten(kind))}
}

// fromQuery makes the input's JSON of a query. Whether its values fit their types
// is the decoder's to say.
func (v *view) fromQuery(b []byte, query string) ([]byte, *Problem) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &Problem{Type: InvalidInput, Status: http.StatusBadRequest, Detail: "the query cannot be read: " + err.Error()}
	}
	b = append(b, '{')
	for i := range v.flat {
		p := &v.flat[i]
		given, ok := values[p.name]
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(codec.AppendString(b, p.name), ':')
		switch {
		case p.list:
			b = append(b, '[')
			for j, text := range given {
				if j > 0 {
					b = append(b, ',')
				}
				b = p.append(b, text)
			}
			b = append(b, ']')
		case len(given) > 1:
			return nil, &Problem{Type: InvalidInput, Status: http.StatusBadRequest, Path: "$." + p.name,
				Detail: fmt.Sprintf("the query names %s %d times; it has one value", p.name, len(given))}
		default:
			b = p.append(b, given[0])
		}
	}
	return append(b, '}'), nil
}

// append appends a value. What is no number or truth value goes as a text, so
// that the decoder says what it found.
func (p *parameter) append(b []byte, text string) []byte {
	switch {
	case p.option && text == "" && p.form != asText:
		return append(b, "null"...)
	case p.form == asNumber && isNumber(text), p.form == asBool && (text == "true" || text == "false"):
		return append(b, text...)
	}
	return codec.AppendString(b, text)
}

// isNumber reports whether a text has only what JSON's numbers have.
func isNumber(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return !(c >= '0' && c <= '9' || slices.Contains([]rune{'+', '-', '.', 'e', 'E'}, c))
	})
}
