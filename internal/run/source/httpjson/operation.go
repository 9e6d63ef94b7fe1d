package httpjson

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
)

// caller asks one operation.
type caller struct {
	src     *Source
	params  int
	single  *request // nil when there is only the batch
	answer  jsonpick.Pointer
	none    []int // statuses that mean null
	missing bool  // an answer that is not there means null
	batch   *batch
}

// Bind reads an operation's settings:
//
//	get, post, put   one of them: a template of the path and query below the
//	                 source's `url`. {product} stands for a parameter, {query.text}
//	                 for a member of one. A pair of the query is left out where
//	                 its value is null, and given once for each element of a list.
//	headers          a table of texts, besides the source's
//	body             of post and put: JSON in which a string "{product}" stands
//	                 for the argument; the object of all arguments by default
//	answer           a JSON Pointer to the answer in the response; default the whole
//	none             a list of statuses that mean null, as ["404"]
//	missing          "none": an answer that is not there means null; "fail" by default
//	batch            a table that says how many calls are asked in one request: get,
//	                 post or put, headers and body as above, in which {product[]}
//	                 stands for the values of all calls, one by one (pairs of a
//	                 query, an array in a body), {product[,]} for them with commas
//	                 between in a URL, and "{calls}" for the array of the objects
//	                 of all calls' arguments. answer, none, missing, key, of and
//	                 each find the answers, see [batch].
//
// Without a batch, and for batches of one call if there is a get, post or put
// besides it, each call is a request of its own, and they go side by side, no more
// than the source's `connections` at once.
func (s *Source) Bind(op source.Operation) source.Caller {
	t := op.Settings
	r := &reader{op: &op, table: t}
	c := &caller{src: s, params: len(op.Params()), single: s.readRequest(r)}
	if c.single == nil && !t.Has("batch") {
		r.errorf("", "`%s` says nothing to ask; it needs one of `get`, `post` and `put`", t.Name())
	}
	c.answer = r.pointer("answer")
	c.none = r.statuses()
	c.missing = r.missing()
	if table := t.Table("batch"); table != nil {
		b := &reader{op: &op, table: table, batch: true}
		c.batch = s.readBatch(b)
		table.Done()
		r.wrong = r.wrong || b.wrong
	}
	if r.wrong {
		return nil
	}
	return c
}

// readRequest reads get, post or put with what belongs to it; nil without.
func (s *Source) readRequest(r *reader) *request {
	t := r.table
	req := &request{header: maps.Clone(s.header), members: membersOf(r.op)}
	key := ""
	for _, k := range []string{"get", "post", "put"} {
		template := t.Text(k, "")
		if !t.Has(k) {
			continue
		}
		if key != "" {
			r.errorf(k, "`%s` has both `%s` and `%s`; it needs one of `get`, `post` and `put`", t.Name(), key, k)
			continue
		}
		key = k
		req.target = r.target(k, template)
	}
	r.wrong = !readHeaders(t, req.header) || r.wrong
	body := r.body()
	if key == "" || key == "get" {
		if t.Has("body") {
			r.errorf("body", "`body` goes with `post` or `put`, and `%s` has neither", t.Name())
		}
		if key == "" {
			return nil
		}
	}
	req.method = strings.ToUpper(key)
	req.where = s.where(req.method)
	if key != "get" {
		req.body = body
		if _, own := req.header["Content-Type"]; !own {
			req.header["Content-Type"] = []string{"application/json"}
		}
	}
	return req
}

func (r *reader) pointer(key string) jsonpick.Pointer {
	p, err := jsonpick.Compile(r.table.Text(key, ""))
	if err != nil {
		r.errorf(key, "`%s`: %v", key, err)
	}
	return p
}

// statuses reads `none`.
func (r *reader) statuses() []int {
	var statuses []int
	for _, text := range r.table.Texts("none") {
		status, err := strconv.Atoi(text)
		if err != nil || status < 200 || status > 599 {
			r.errorf("none", "`none` has %q in it; expected statuses from 200 to 599, as [\"404\"]", text)
			continue
		}
		statuses = append(statuses, status)
	}
	if len(statuses) > 0 {
		r.wantsNull("none")
	}
	return statuses
}

func (r *reader) missing() bool {
	if r.table.Choice("missing", "fail", "fail", "none") != "none" {
		return false
	}
	r.wantsNull("missing")
	return true
}

// wantsNull notes a mistake when null can be no answer.
func (r *reader) wantsNull(key string) {
	if _, nullable := source.Base(r.op.Schema, r.op.Meta.Result); !nullable {
		r.errorf(key, "`%s` makes null the answer, and `%s` never gives null; declare its result as `%s?`",
			key, r.op.Meta.Name, r.op.Schema.Types[r.op.Meta.Result].Name)
	}
}

// isOption reports whether a type is an Option, or wraps one.
func isOption(s *abi.Schema, id abi.TypeID) bool {
	for range len(s.Types) {
		switch t := &s.Types[id]; t.Kind {
		case abi.Option:
			return true
		case abi.Wrapper:
			id = t.Elem
		default:
			return false
		}
	}
	return false
}

// Call asks the calls; see [source.Caller].
func (c *caller) Call(ctx context.Context, b *source.Batch, done func(i int, answer []byte, err error)) {
	if c.batch != nil && (len(b.Args) > 1 || c.single == nil) {
		c.batch.call(ctx, c, b, done)
		return
	}
	if len(b.Args) == 1 {
		answer, err := c.one(ctx, b, 0)
		done(0, answer, err)
		return
	}
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(b.Args); i = int(next.Add(1)) - 1 {
			answer, err := c.one(ctx, b, i)
			done(i, answer, err)
		}
	}
	var workers sync.WaitGroup
	for range min(len(b.Args), c.src.connections) - 1 {
		workers.Go(work)
	}
	work()
	workers.Wait()
}

// AtOnce is part of source.AtOnce.
func (c *caller) AtOnce(calls int) bool { return calls == 1 || c.batch != nil }

// one asks one call by a request of its own.
func (c *caller) one(ctx context.Context, b *source.Batch, i int) ([]byte, error) {
	m := c.src.scratch.Get().(*scratch)
	defer c.src.put(m)
	m.calls.reset(c.params)
	if err := m.calls.add(i, b.Args[i]); err != nil {
		return nil, err
	}
	reply, err := c.src.ask(ctx, c.single, m, &b.About)
	if err != nil {
		return nil, err
	}
	where := c.single.where
	if null, err := judge(reply, c.none, where); null || err != nil {
		return nullAnswer(null), err
	}
	v, ok, err := c.answer.Scan(reply.body)
	switch {
	case err != nil:
		return nil, reply.noJSON(where, err)
	case ok:
		return m.own(v), nil
	case c.missing:
		return nullAnswer(true), nil
	}
	return nil, source.Errorf(source.Unfit, "%s: the response has nothing at %s", where, c.answer)
}

// judge looks at a status: it may mean null, or be none of success.
func judge(r *reply, none []int, where string) (null bool, err error) {
	switch {
	case slices.Contains(none, r.status):
		return true, nil
	case r.ok():
		return false, nil
	}
	return false, r.refusal(where)
}

func nullAnswer(is bool) []byte {
	if is {
		return []byte("null")
	}
	return nil
}

// noJSON is the error of a body that is not what Scan takes.
func (r *reply) noJSON(where string, err error) error {
	if len(r.body) == 0 {
		return source.Errorf(source.Unfit, "%s: the response is empty; expected JSON", where)
	}
	kind := ""
	if is := r.header.Get("Content-Type"); is != "" && !strings.Contains(is, "json") {
		kind = " of " + excerpt([]byte(is), 60)
	}
	e := source.Errorf(source.Unfit, "%s: the response%s is no JSON: %w", where, kind, err)
	e.Message += ": " + excerpt(r.body, mostExcerpt)
	return e
}
