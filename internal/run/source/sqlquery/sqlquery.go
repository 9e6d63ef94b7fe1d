// Package sqlquery answers calls by SQL statements, on PostgreSQL and on SQLite.
//
// An operation has one statement, in one of two forms. It may read the relation
// calls, which has a row for each call of a batch: its number, call, and a column
// for each parameter. The batch is one statement then, and its rows say which call
// they belong to:
//
//	[services.Catalog.offers]
//	sql = """
//	select call, o.id, o.price as "price.amount", o.currency as "price.currency"
//	from calls join offers o on o.product = calls.product"""
//
// Or it names the parameters of one call:
//
//	sql = "select name, rating from merchants where id = :merchant"
//
// PostgreSQL gets that as one statement for the whole batch too, joined laterally
// to the calls; SQLite runs it for each call, within one transaction.
//
// A member of a record is a column of its own, with a dot in its name:
// :shopper.region, calls."shopper.region", and "price.amount" among the columns of
// a result. Columns are named as JSON names the result's fields. A NULL leaves its
// member out. What columns cannot spell (a list, a map, a Json) is a column of JSON.
//
// PostgreSQL's text, bigint, double precision, numeric, boolean, date, timestamptz,
// interval and jsonb stand for String, Int, Float, Decimal, Bool, Date, Instant,
// Duration and JSON. SQLite has no such types: Decimal, Date, Instant, Duration and
// JSON are texts there, in the form that JSON has, and Bool is 0 or 1.
package sqlquery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// Source is a database. It implements [source.Shareable]: PostgreSQL is shared, and
// SQLite, which is a file, is not.
type Source struct {
	dialect
	db     database // nil when its settings have mistakes
	opened [sha256.Size]byte
}

var _ source.Shareable = (*Source)(nil)

// database is what Source needs of one.
type database interface {
	// ask asks a batch of one operation.
	ask(ctx context.Context, op *operation, b *source.Batch) (*answers, error)
	// check prepares the operations' statements and lays their results upon the columns.
	check(ctx context.Context, ops []*operation) error
	close() error
}

// Open reads a source's settings; files are relative to dir. Mistakes are noted in
// t, and the Source then is of use only to note those of operations as well. It
// asks the database nothing: that is for Probe and the first call.
//
//	type         "postgres" or "sqlite"
//	url          postgres: "postgres://user:password@host:5432/database?sslmode=require"
//	file         sqlite: the database's file
//	mode         "read-only" (the default), "read-write", and of sqlite "immutable": nobody
//	             writes to the file, so that no locks are taken
//	connections  how many batches are asked at a time, 1 to 1000; 10 for postgres and one for
//	             each processor for sqlite
func Open(t *settings.Table, dir string) *Source {
	s := &Source{}
	switch kind := t.Choice("type", "", "postgres", "sqlite"); {
	case kind == "postgres":
		s.dialect = postgreSQL
		if db, opened := openPostgres(t); db != nil {
			s.db, s.opened = db, opened
		}
	case kind == "sqlite":
		s.dialect = sqlite
		if db := openSQLite(t, func(file string) string {
			if filepath.IsAbs(file) {
				return file
			}
			return filepath.Join(dir, file)
		}); db != nil {
			s.db = db
		}
	case !t.Has("type"):
		t.Errorf("", "`%s` is missing its `type`; expected postgres or sqlite", t.Name())
	}
	return s
}

// operation is a bound operation. It implements [source.Caller].
type operation struct {
	name  string // qualified
	db    database
	given *statement
	// text is the statement that the database gets, and told the columns that it is
	// told of each call: all, or those that the statement names, as they are numbered
	// in it.
	text   string
	key    string // of text, on a connection of PostgreSQL's
	told   []int
	params *params
	shape  *shape
	fitted atomic.Pointer[fitted] // of PostgreSQL
	room   atomic.Int64           // bytes that the last batch's answers took
}

// Bind makes the Caller of an operation from its setting `sql`.
func (s *Source) Bind(op source.Operation) source.Caller {
	text := op.Settings.Text("sql", "")
	if strings.TrimSpace(text) == "" {
		op.Settings.Errorf("sql", "`%s` is missing its `sql`, the statement that answers it", op.Meta.Name)
		return nil
	}
	given, err := scan(text, s.dialect)
	if err != nil {
		op.Settings.Errorf("sql", "`sql`: %v", err)
		return nil
	}
	o := &operation{
		name: op.Meta.QualifiedName(), db: s.db, given: given,
		params: paramsOf(op), shape: shapeOf(op.Schema, op.Meta.Result),
	}
	wrong := o.mistakes(s.dialect)
	for _, w := range wrong {
		op.Settings.Errorf("sql", "`sql`: %s", w)
	}
	if len(wrong) > 0 || s.db == nil {
		return nil
	}
	o.write(s.dialect)
	return o
}

// mistakes are those in the statement's names.
func (o *operation) mistakes(d dialect) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	paths := o.params.paths()
	for _, r := range o.given.refs {
		switch {
		case o.params.find(r.path) >= 0:
		case o.params.isWhole(r.path):
			add("line %d: :%s has members; name one of them, as :%s", r.line, r.path, o.params.firstIn(r.path))
		default:
			add("line %d: %s", r.line, source.Unknown("parameter", r.path, paths))
		}
	}
	for _, r := range o.given.columns {
		if r.path != "call" && o.params.find(r.path) < 0 && (d.postgres || !o.params.folds(r.path)) {
			text := source.Unknown("column", r.path, append([]string{"call"}, paths...))
			if o.params.folds(r.path) {
				text += "; write it in double quotes, for its capitals"
			}
			add("line %d: in `calls` %s", r.line, text)
		}
	}
	switch first := o.given.first; {
	case o.given.calls && len(o.given.refs) > 0:
		add("it reads `calls`, which has all calls, and names :%s of one call; do either", o.given.refs[0].path)
	case o.given.calls:
	case len(o.given.refs) == 0 && len(o.params.all) > 0:
		add("it uses none of the parameters; name them as :%s, or read them from `calls`", strings.Join(paths, ", :"))
	case first != "select" && first != "with" && first != "values" && first != "table":
		add("it begins with %s; a statement that is asked for one call is a select. One that writes reads `calls`", first)
	}
	return out
}

// Probe prepares the callers' statements and checks their columns against the
// results' types.
func (s *Source) Probe(ctx context.Context, callers []source.Caller) error {
	if s.db == nil {
		return errors.New("the source's settings have mistakes")
	}
	ops := make([]*operation, len(callers))
	for i, c := range callers {
		ops[i] = c.(*operation)
	}
	return s.db.check(ctx, ops)
}

// Opened is part of source.Shareable.
func (s *Source) Opened() ([sha256.Size]byte, bool) { return s.opened, s.postgres }

// Close closes the connections.
func (s *Source) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.close()
}

// Call asks the batch.
func (o *operation) Call(ctx context.Context, b *source.Batch, done func(i int, answer []byte, err error)) {
	a, err := o.db.ask(ctx, o, b)
	if err != nil {
		for i := range b.Args {
			done(i, nil, err)
		}
		return
	}
	a.finish()
	o.room.Store(int64(min(len(a.buf)+len(a.buf)/8, maxRoom)))
	for i := range b.Args {
		text, err := a.answer(i)
		done(i, text, err)
	}
}

// AtOnce is part of source.AtOnce.
func (o *operation) AtOnce(int) bool { return true }

// maxRoom is the most bytes that are set apart for a batch's answers before there
// are any.
const maxRoom = 1 << 20

// answers makes room for a batch's.
func (o *operation) answers(p *plan, b *source.Batch) *answers {
	return newAnswers(p, len(b.Args), int(o.room.Load()))
}

// lay lays the result upon columns. The error is of kind Unfit.
func (o *operation) lay(columns []column) (*plan, error) {
	p, err := o.shape.fit(columns, o.given.calls)
	if err != nil {
		return nil, &source.Error{Kind: source.Unfit, Message: err.Error()}
	}
	return p, nil
}
