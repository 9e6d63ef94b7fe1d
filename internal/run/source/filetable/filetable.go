// Package filetable answers calls from a file of rows, CSV or JSON, that is kept
// in memory by key and read again when it changes.
//
//	[sources.rates]
//	type = "file"
//	path = "data/rates.csv"
//
//	[services.Rates.rate]          # fn rate(currency: String) -> Decimal
//	answer = "rate"
//
// The result's type says how many rows a call takes: a List or a Set has all rows
// of its key, in the file's order, an Option none or one, anything else one.
//
// Whether the file changed is looked at when it is called, not more often than
// `every`, and beside the calls: they are answered from what is there meanwhile.
// Only calls before the first contents wait. Contents that cannot be read, or have
// one row that does not fit, are refused as a whole; those of before stay, and
// Probe says what is wrong. A file is best replaced by renaming another to it: of
// one that is written in place, a part may be taken for the whole until the next
// look.
package filetable

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
	"towpath.dev/internal/settings"
)

// Source is a file. It is safe for concurrent use.
type Source struct {
	path   string
	name   string // of the file, for messages
	format string // "csv" or "json"
	own    bool   // it is of the environment's own folder, and goes where that goes
	every  time.Duration

	stop    context.Context // ends loads
	cancel  context.CancelFunc
	running sync.WaitGroup // the load under way, which a call or Probe started and Close waits for

	mu      sync.Mutex
	tables  []*table
	rows    map[*table]*index // the last good contents; nil before
	state   error             // what is wrong with the file now
	tried   stamp             // of what was last read, well or not
	looked  time.Time         // when the last load ended; zero when another is due at once
	loading chan struct{}     // closed when the load under way ends; nil when there is none
}

// Open reads a source's settings:
//
//	path    required: the file, from dir on
//	format  "csv" or "json"; by default what the file's name ends in
//	every   how often at most the file's size and time are looked at, 1s
//
// Mistakes are noted in the table. The file is not touched yet.
func Open(t *settings.Table, dir string) *Source {
	s := &Source{path: t.Required("path"), every: t.Duration("every", time.Second)}
	s.name = filepath.Base(s.path)
	if s.own = !filepath.IsAbs(s.path); s.own {
		s.path = filepath.Join(dir, s.path)
	}
	s.format = t.Choice("format", strings.TrimPrefix(strings.ToLower(filepath.Ext(s.path)), "."), "csv", "json")
	if t.Has("path") && !t.Has("format") && s.format != "csv" && s.format != "json" {
		t.Errorf("path", "`path` ends in neither .csv nor .json; say which it is in `format`")
	}
	s.stop, s.cancel = context.WithCancel(context.Background())
	return s
}

// table is one operation's view of the file.
type table struct {
	src    *Source
	op     *source.Operation
	keys   []string // a column or member for each parameter
	rows   jsonpick.Pointer
	answer string // a column, member or pointer; "" for the whole row
	take   take
	elem   abi.TypeID // the type of a row's answer
	values *values
}

// take is how many rows a call takes.
type take uint8

const (
	takeOne   take = iota
	takeMaybe      // none or one
	takeAll
)

// Bind reads an operation's settings:
//
//	key     a list of the columns that the parameters are compared with, in their
//	        order; by default their names. Of a JSON file: members of the rows, or
//	        JSON Pointers in them.
//	rows    of a JSON file: a JSON Pointer to the rows, an array of them or an
//	        object by the text of the only parameter; default the whole file
//	answer  the column, or of a JSON file the member or JSON Pointer, that is the
//	        answer; default the whole row
//
// The columns of a CSV file are named in its first line. What a cell is follows
// from the type: texts, dates, instants, durations, decimals and plain variants as
// they are, whole numbers and Floats as JSON has them, true and false; a Money
// price is the columns price.amount and price.currency, and so are the fields of a
// record; of other types a cell has the JSON. An empty cell is null where that can
// be, and an empty text. Columns that no field is named after are ignored.
func (s *Source) Bind(op source.Operation) source.Caller {
	t := op.Settings
	b := &table{src: s, op: &op, keys: t.Texts("key"), answer: t.Text("answer", "")}
	params := op.Params()
	wrong := false
	errorf := func(key, format string, args ...any) {
		t.Errorf(key, format, args...)
		wrong = true
	}
	if !t.Has("key") {
		b.keys = params
	} else if len(b.keys) != len(params) {
		errorf("key", "`key` names %d of the %d parameters' columns; expected one for each of `%s`", len(b.keys), len(params), strings.Join(params, "`, `"))
	}
	rows := t.Text("rows", "")
	if s.format == "csv" && t.Has("rows") {
		errorf("rows", "`rows` is for JSON files; all lines of a CSV file are rows")
	}
	var err error
	if b.rows, err = jsonpick.Compile(rows); err != nil {
		errorf("rows", "`rows`: %v", err)
	}
	if s.format == "json" {
		for _, name := range append([]string{b.answer}, b.keys...) {
			if _, err := selector(name); err != nil {
				errorf("", "%v", err)
			}
		}
	}
	b.take, b.elem = takes(op.Schema, op.Meta.Result)
	if b.values, err = s.valuesOf(op.Schema); err != nil {
		errorf("", "the program's types are broken: %v", err)
	}
	if wrong {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = append(s.tables, b)
	s.looked, s.tried = time.Time{}, stamp{} // the contents lack it
	return b
}

// valuesOf gives what reads values of a schema's types, one for all operations.
func (s *Source) valuesOf(schema *abi.Schema) (*values, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		if t.op.Schema == schema {
			return t.values, nil
		}
	}
	return newValues(schema)
}

// takes says how many rows an operation of a result takes, and what each gives.
func takes(schema *abi.Schema, id abi.TypeID) (take, abi.TypeID) {
	for range len(schema.Types) {
		switch t := &schema.Types[id]; t.Kind {
		case abi.Wrapper:
			id = t.Elem
		case abi.List, abi.Set:
			return takeAll, t.Elem
		case abi.Option:
			return takeMaybe, t.Elem
		default:
			return takeOne, id
		}
	}
	return takeOne, id
}

// Call answers calls from memory; see [source.Caller].
func (b *table) Call(ctx context.Context, batch *source.Batch, done func(i int, answer []byte, err error)) {
	rows, err := b.src.contents(ctx, b)
	for i, args := range batch.Args {
		if err != nil {
			done(i, nil, err)
			continue
		}
		answer, err := rows.answer(b, args)
		done(i, answer, err)
	}
}

// AtOnce is part of source.AtOnce.
func (b *table) AtOnce(int) bool { return true }

// contents are the rows of a table, looked up again if it is time.
func (s *Source) contents(ctx context.Context, b *table) (*index, error) {
	if err := ctx.Err(); err != nil {
		return nil, source.Errorf(source.Expired, "%s: %w", s.name, err)
	}
	s.mu.Lock()
	if s.loading == nil && (s.looked.IsZero() || time.Since(s.looked) >= s.every) {
		s.load()
	}
	rows, loading, state := s.rows[b], s.loading, s.state
	s.mu.Unlock()
	if rows != nil {
		return rows, nil
	}
	if loading != nil {
		select {
		case <-loading:
		case <-ctx.Done():
			return nil, source.Errorf(source.Expired, "%s is being read: %w", s.name, ctx.Err())
		}
		s.mu.Lock()
		rows, state = s.rows[b], s.state
		s.mu.Unlock()
	}
	switch {
	case rows != nil:
		return rows, nil
	case state == nil: // bound while the file was read
		return nil, source.Errorf(source.Unavailable, "%s was not read yet", s.name)
	}
	return nil, state
}

// Probe looks at the file now. The error is what is wrong with it, even if calls
// are still answered from what it was before. It is of all callers that there are:
// contents that do not suit one are refused as a whole.
func (s *Source) Probe(ctx context.Context, _ []source.Caller) error {
	var started chan struct{} // the load that began after Probe
	for {
		s.mu.Lock()
		if s.loading == nil && started != nil {
			state, before := s.state, s.rows != nil
			s.mu.Unlock()
			return s.probed(state, before)
		}
		if s.loading == nil {
			s.load()
			started = s.loading
		}
		loading := s.loading
		s.mu.Unlock()
		select {
		case <-loading:
		case <-ctx.Done():
			return source.Errorf(source.Expired, "%s is being read: %w", s.name, ctx.Err())
		}
	}
}

// probed is what is wrong with the file as Probe tells it.
func (s *Source) probed(state error, before bool) error {
	var e *source.Error
	if !errors.As(state, &e) {
		return state
	}
	told := &source.Error{Kind: e.Kind, Message: e.Message, Err: e.Err, Own: s.own && e.Kind == source.Unfit}
	if before {
		told.Message += "; calls are answered from what was read before"
	}
	return told
}

// Close ends a load under way.
func (s *Source) Close() error {
	s.cancel()
	s.running.Wait()
	return nil
}
