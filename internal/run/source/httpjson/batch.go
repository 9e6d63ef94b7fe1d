package httpjson

import (
	"bytes"
	"context"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
)

// batch is how many calls are asked in one request, and found again in its
// response. Its table's settings, besides those of the request:
//
//	answer    a JSON Pointer to the answers in the response; default the whole
//	none      a list of statuses that mean null for all calls
//	key       a JSON Pointer to what in an item tells which call it is of
//	of        the parameter, or member of one, whose value that is; by default the
//	          operation's only parameter
//	each      a JSON Pointer to the answer in an item; default the whole item
//	missing   "none": a call without an item, or with nothing at `each` in it, means
//	          null; "fail" by default
//
// With `key` the answers are an array, in any order; items that nobody asked for
// are ignored. With `of` alone they are an object whose members are named by the
// parameter's text. With neither they are an array in the order of the calls, or,
// when there is one parameter, such an object.
type batch struct {
	request *request
	answer  jsonpick.Pointer
	none    []int
	key     *jsonpick.Pointer // nil without
	of      *placeholder      // nil when calls are known by their order alone
	byOrder bool              // an array is in the order of the calls
	each    jsonpick.Pointer
	missing bool
	unique  bool // no two calls of a batch have the same value of `of`
}

func (s *Source) readBatch(r *reader) *batch {
	t := r.table
	b := &batch{request: s.readRequest(r), answer: r.pointer("answer"), none: r.statuses(), each: r.pointer("each"), missing: r.missing()}
	if b.request == nil {
		r.errorf("", "`%s` says nothing to ask; it needs one of `get`, `post` and `put`", t.Name())
	}
	if key := r.pointer("key"); t.Has("key") {
		b.key = &key
	}
	params := r.op.Params()
	one := &reader{op: r.op, table: t} // `of` is of one call
	switch {
	case t.Has("of"):
		if b.of = one.placeholder("of", t.Text("of", "")); b.of != nil {
			one.inURL("of", b.of, false) // a key is a text, as in a URL
		}
	case len(params) == 1 && r.scalar(0):
		b.of = one.placeholder("of", params[0])
	case b.key != nil:
		r.errorf("key", "`key` says where an item names its call, but not by what; add `of`, the parameter whose value it is")
	}
	r.wrong = r.wrong || one.wrong
	b.byOrder = b.key == nil && !t.Has("of")
	b.unique = b.of != nil && len(params) == 1 && b.of.within.IsWhole()
	return b
}

// scalar reports whether the parameter i has a text that tells calls apart.
func (r *reader) scalar(i int) bool {
	base, _ := source.Base(r.op.Schema, r.op.Schema.Types[r.op.Meta.Args].Fields[i].Type)
	switch r.op.Schema.Types[base].Kind {
	case abi.Money, abi.List, abi.Map, abi.Set, abi.Tuple, abi.Record, abi.Variant, abi.Json:
		return false
	}
	return true
}

// call asks a batch in one request. A call that no request can be made of fails
// alone.
func (b *batch) call(ctx context.Context, c *caller, calls *source.Batch, done func(int, []byte, error)) {
	m := c.src.scratch.Get().(*scratch)
	defer c.src.put(m)
	m.calls.reset(c.params)
	m.keys = m.keys[:0]
	for i, args := range calls.Args {
		if err := b.add(m, i, args); err != nil {
			done(i, nil, err)
		}
	}
	if len(m.calls.index) == 0 {
		return
	}
	fail := func(err error) {
		for _, i := range m.calls.index {
			done(i, nil, err)
		}
	}
	reply, err := c.src.ask(ctx, b.request, m, &calls.About)
	if err != nil {
		fail(err)
		return
	}
	null, err := judge(reply, b.none, b.request.where)
	if err == nil && !null {
		err = b.deal(m, reply)
	}
	if err != nil {
		fail(err)
		return
	}
	for i, call := range m.calls.index {
		if null {
			done(call, nullAnswer(true), nil)
			continue
		}
		answer, err := b.answerOf(m, i)
		done(call, answer, err)
	}
}

// add adds a call to the request, and what it is known by to the keys.
func (b *batch) add(m *scratch, i int, args []byte) error {
	if err := m.calls.add(i, args); err != nil {
		return err
	}
	own := m.calls.args(len(m.calls.index) - 1)
	err := b.request.target.takes(own)
	if err == nil && b.of != nil {
		text, ok, keyErr := b.of.scalar(own)
		if err = keyErr; err == nil && !ok && !b.byOrder {
			err = source.Errorf(source.Failed, "the argument `%s` is null, by which no item of the response can be known", b.of.name)
		}
		if err == nil {
			m.keys = append(m.keys, text) // nil for null, by which nothing is known
		}
	}
	if err != nil {
		m.calls.drop()
	}
	return err
}

// What stands for the item of a call that has two, and of one beyond the end of
// an array in the calls' order.
var twice, beyond = jsonpick.Value("twice"), jsonpick.Value("beyond")

func same(a, b jsonpick.Value) bool { return len(a) == len(b) && &a[0] == &b[0] }

// deal finds the calls' items in the response, and notes them in m.found. The
// error is of them all.
func (b *batch) deal(m *scratch, r *reply) error {
	where, n := b.request.where, len(m.calls.index)
	answers, ok, err := b.answer.Scan(r.body)
	if err != nil {
		return r.noJSON(where, err)
	}
	if !ok {
		return source.Errorf(source.Unfit, "%s: the response has nothing at %s", where, b.answer)
	}
	m.found = m.found[:0]
	for range n {
		m.found = append(m.found, nil)
	}
	switch {
	case answers[0] == '[' && b.byOrder:
		if m.items = answers.Elements(m.items[:0]); len(m.items) > n {
			return source.Errorf(source.Unfit, "%s: the response has %d items for %d calls", where, len(m.items), n)
		}
		for i := copy(m.found, m.items); i < n; i++ {
			m.found[i] = beyond
		}
		return nil
	case answers[0] == '[' && b.key != nil:
		return b.dealByKey(m, answers)
	case answers[0] == '{' && b.key == nil && b.of != nil:
		known := b.knownBy(m)
		answers.Members(func(name []byte, v jsonpick.Value) bool {
			known.deal(name, v)
			return true
		})
		return nil
	}
	expected := "an array of items"
	if b.key == nil && b.of != nil {
		expected = "an object with members by `" + b.of.text + "`"
		if b.byOrder {
			expected += ", or an array in the order of the calls"
		}
	}
	return source.Errorf(source.Unfit, "%s: the response is %s%s; expected %s", where, answers.Kind(), at(b.answer), expected)
}

func at(p jsonpick.Pointer) string {
	if p.IsWhole() {
		return ""
	}
	return " at " + p.String()
}

func (b *batch) dealByKey(m *scratch, answers jsonpick.Value) error {
	known := b.knownBy(m)
	m.items = answers.Elements(m.items[:0])
	for i, item := range m.items {
		key, ok, err := b.key.Find(item)
		if err != nil {
			return source.Errorf(source.Unfit, "%s: item %d of the response: %w", b.request.where, i, err)
		}
		text, scalar := key.Text()
		if !ok || !scalar {
			return source.Errorf(source.Unfit, "%s: item %d of the response has no key%s; expected that of the call it is of", b.request.where, i, at(*b.key))
		}
		known.deal(text, item)
	}
	return nil
}

// keyed finds calls by their keys.
type keyed struct {
	m      *scratch
	unique bool
	next   int              // where to look first: items often come in order
	index  map[string][]int // nil while the calls are few
}

// fewKeys is up to how many keys are looked for one by one.
const fewKeys = 32

func (b *batch) knownBy(m *scratch) *keyed {
	k := &keyed{m: m, unique: b.unique}
	if len(m.keys) > fewKeys {
		k.index = make(map[string][]int, len(m.keys))
		for i, key := range m.keys {
			if key != nil {
				k.index[string(key)] = append(k.index[string(key)], i)
			}
		}
	}
	return k
}

// deal gives an item to the calls that it is of.
func (k *keyed) deal(key []byte, item jsonpick.Value) {
	if k.index != nil {
		for _, i := range k.index[string(key)] {
			k.give(i, item)
		}
		return
	}
	n := len(k.m.keys)
	for range n {
		i := k.next
		if k.next++; k.next == n {
			k.next = 0
		}
		if is := k.m.keys[i]; is != nil && bytes.Equal(is, key) {
			k.give(i, item)
			if k.unique {
				return
			}
		}
	}
}

func (k *keyed) give(i int, item jsonpick.Value) {
	if k.m.found[i] != nil {
		item = twice
	}
	k.m.found[i] = item
}

// answerOf is the answer in the i'th call's item.
func (b *batch) answerOf(m *scratch, i int) ([]byte, error) {
	where, item := b.request.where, m.found[i]
	switch {
	case item == nil && b.missing:
		return nullAnswer(true), nil
	case item == nil:
		return nil, source.Errorf(source.Unfit, "%s: the response has no item whose %s is that of the call", where, b.keyName())
	case same(item, beyond):
		return nil, source.Errorf(source.Unfit, "%s: the response has %d items for %d calls, none for this one", where, len(m.items), len(m.found))
	case same(item, twice):
		return nil, source.Errorf(source.Unfit, "%s: the response has two items whose %s is that of the call", where, b.keyName())
	}
	v, ok, err := b.each.Find(item)
	switch {
	case err != nil:
		return nil, source.Errorf(source.Unfit, "%s: the call's item: %w", where, err)
	case ok:
		return bytes.Clone(v), nil
	case b.missing:
		return nullAnswer(true), nil
	}
	return nil, source.Errorf(source.Unfit, "%s: the call's item has nothing at %s", where, b.each)
}

func (b *batch) keyName() string {
	if b.key != nil && !b.key.IsWhole() {
		return b.key.String()
	}
	return "name"
}
