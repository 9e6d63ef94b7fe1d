package sqlquery

import (
	"context"
	"errors"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// sqliteCache is how much of the file a connection keeps in memory, in KiB.
const sqliteCache = 16 << 10

// sqliteDB is a file of SQLite's.
type sqliteDB struct {
	file  string
	uri   string
	flags sqlite3.OpenFlag
	slots chan struct{} // a token for each connection in use
	// patience is how long a connection waits for another's lock.
	patience time.Duration

	mu   sync.Mutex
	idle []*sqliteConn
}

// sqliteConn is a connection, which one batch uses at a time.
type sqliteConn struct {
	*sqlite3.Conn
	file       os.FileInfo // which was opened
	begin, end *sqlite3.Stmt
	prepared   map[*operation]*sqliteStmt
}

type sqliteStmt struct {
	*sqlite3.Stmt
	plan *plan
}

func openSQLite(t *settings.Table, absolute func(string) string) *sqliteDB {
	file := t.Required("file")
	mode := t.Choice("mode", "read-only", "read-only", "read-write", "immutable")
	connections := t.Int("connections", int64(runtime.GOMAXPROCS(0)), 1, 1000)
	if file == "" {
		return nil
	}
	db := &sqliteDB{file: absolute(file), flags: sqlite3.OPEN_READONLY | sqlite3.OPEN_URI, slots: make(chan struct{}, connections), patience: time.Second}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: db.file}
	switch mode {
	case "read-write":
		db.flags = sqlite3.OPEN_READWRITE | sqlite3.OPEN_URI
	case "immutable":
		uri.RawQuery = "immutable=1"
	}
	db.uri = uri.String()
	return db
}

// acquire takes a connection, or opens one. A file that was put in the place of
// the one that is open is opened anew.
func (db *sqliteDB) acquire(ctx context.Context) (*sqliteConn, error) {
	select {
	case db.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, expired(ctx, "one of the source's `connections` was free")
	}
	c, err := db.connection()
	if err != nil {
		<-db.slots
		return nil, sqliteFailure(ctx, err)
	}
	c.SetInterrupt(ctx)
	return c, nil
}

func (db *sqliteDB) connection() (*sqliteConn, error) {
	now, err := os.Stat(db.file)
	if err != nil {
		return nil, source.Errorf(source.Unreachable, "the `file` cannot be opened: %s", reason(err))
	}
	for {
		c := db.pop()
		if c == nil {
			return db.open(now)
		}
		if os.SameFile(c.file, now) {
			return c, nil
		}
		c.discard()
	}
}

func (db *sqliteDB) pop() *sqliteConn {
	db.mu.Lock()
	defer db.mu.Unlock()
	last := len(db.idle) - 1
	if last < 0 {
		return nil
	}
	c := db.idle[last]
	db.idle = db.idle[:last]
	return c
}

func (db *sqliteDB) open(file os.FileInfo) (*sqliteConn, error) {
	conn, err := sqlite3.OpenFlags(db.uri, db.flags)
	if err != nil {
		return nil, err
	}
	c := &sqliteConn{Conn: conn, file: file, prepared: map[*operation]*sqliteStmt{}}
	err = errors.Join(c.BusyTimeout(db.patience), c.Exec("pragma cache_size = -"+strconv.Itoa(sqliteCache)))
	if err == nil {
		c.begin, _, err = c.Prepare("begin")
	}
	if err == nil {
		c.end, _, err = c.Prepare("commit")
	}
	if err != nil {
		c.discard()
		return nil, err
	}
	return c, nil
}

// discard closes a connection for good.
func (c *sqliteConn) discard() {
	c.SetInterrupt(context.Background())
	for s := range c.Stmts() {
		_ = s.Close() // it says anew what its last run met
	}
	_ = c.Close() // it only fails while statements are open
}

// release gives a connection back, after what err says has happened. It is only
// closed where its file may be broken: the next one would begin with nothing in
// memory.
func (db *sqliteDB) release(c *sqliteConn, err error) {
	c.SetInterrupt(context.Background())
	keep := err == nil
	if !keep {
		kind := source.KindOf(err)
		keep = kind != source.Failed && kind != source.Unreachable && (c.GetAutocommit() || c.Exec("rollback") == nil)
	}
	if keep {
		db.mu.Lock()
		db.idle = append(db.idle, c)
		db.mu.Unlock()
	} else {
		c.discard()
	}
	<-db.slots
}

func (db *sqliteDB) close() error {
	for {
		c := db.pop()
		if c == nil {
			return nil
		}
		c.discard()
	}
}

// prepare is an operation's statement on a connection.
func (c *sqliteConn) prepare(op *operation) (*sqliteStmt, error) {
	if s := c.prepared[op]; s != nil {
		return s, nil
	}
	stmt, _, err := c.PrepareFlags(op.text, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	columns := make([]column, stmt.ColumnCount())
	for i := range columns {
		columns[i].name = stmt.ColumnName(i)
	}
	p, err := op.lay(columns)
	if err != nil {
		return nil, errors.Join(err, stmt.Close())
	}
	s := &sqliteStmt{stmt, p}
	c.prepared[op] = s
	return s, nil
}

func (db *sqliteDB) check(ctx context.Context, ops []*operation) error {
	c, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer db.release(c, nil)
	var wrong []error
	for _, op := range ops {
		if _, err := c.prepare(op); err != nil {
			wrong = append(wrong, op.explain(sqliteFailure(ctx, err)))
		}
	}
	return errors.Join(wrong...)
}

func (db *sqliteDB) ask(ctx context.Context, op *operation, b *source.Batch) (*answers, error) {
	c, err := db.acquire(ctx)
	if err != nil {
		return nil, err
	}
	a, err := c.ask(op, b)
	if err != nil {
		err = sqliteFailure(ctx, err)
	}
	db.release(c, err)
	return a, err
}

func (c *sqliteConn) ask(op *operation, b *source.Batch) (*answers, error) {
	stmt, err := c.prepare(op)
	if err != nil {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.room(op)
	a := op.answers(stmt.plan, b)
	if op.given.calls {
		s.text = appendBatch(s.text[:0], b)
		return a, stmt.all(a, s.text)
	}
	if err := c.begin.Exec(); err != nil {
		return nil, err
	}
	r := &sqliteRow{Stmt: stmt.Stmt}
	for i, args := range b.Args {
		if err := stmt.one(a, i, op, args, s, r); err != nil {
			return nil, err
		}
	}
	return a, c.end.Exec()
}

// appendBatch appends an array of all calls' arguments.
func appendBatch(dst []byte, b *source.Batch) []byte {
	for i, args := range b.Args {
		dst = append(append(dst, "[,"[min(i, 1)]), args...)
	}
	return append(dst, ']')
}

// all runs a statement that reads calls.
func (s *sqliteStmt) all(a *answers, calls []byte) error {
	if err := s.BindRawText(1, calls); err != nil {
		return err
	}
	r := sqliteRow{Stmt: s.Stmt}
	for s.Step() {
		call := -1
		if s.ColumnType(s.plan.call) == sqlite3.INTEGER {
			call = s.ColumnInt(s.plan.call)
		}
		if err := a.add(call, &r); err != nil {
			_ = s.Reset() // what was met before counts
			return err
		}
	}
	return s.finish()
}

// finish ends a run, and says what it met: that the context had ended meanwhile
// is known to Err alone, and is forgotten by Reset.
func (s *sqliteStmt) finish() error {
	err := s.Err()
	if e := s.Reset(); err == nil {
		err = e
	}
	return err
}

// one runs a statement for one call.
func (s *sqliteStmt) one(a *answers, call int, op *operation, args []byte, scratch *scratch, r *sqliteRow) error {
	if !op.params.values(args, scratch.values) {
		return notCanonical(args)
	}
	for n, p := range op.told {
		if err := scratch.bind(s.Stmt, n+1, op.params.all[p].kind, scratch.values[p]); err != nil {
			return err
		}
	}
	for s.Step() {
		if err := a.add(call, r); err != nil {
			_ = s.Reset() // what was met before counts
			return err
		}
	}
	return s.finish()
}

// bind binds a value in the JSON of its kind.
func (s *scratch) bind(stmt *sqlite3.Stmt, n int, kind abi.Kind, v []byte) error {
	switch {
	case v == nil:
		return stmt.BindNull(n)
	case kind == abi.Json:
		return stmt.BindRawText(n, v)
	case kind == abi.Bool:
		return stmt.BindBool(n, v[0] == 't')
	case kind == abi.Int:
		i, err := strconv.ParseInt(string(v), 10, 64)
		return errors.Join(err, stmt.BindInt64(n, i))
	case kind == abi.Float:
		f, err := strconv.ParseFloat(string(v), 64)
		return errors.Join(err, stmt.BindFloat(n, f))
	}
	s.text = appendUnquoted(s.text[:0], v)
	return stmt.BindRawText(n, s.text)
}

// sqliteRow is the row that a statement stands at.
type sqliteRow struct {
	*sqlite3.Stmt
	digits [32]byte
}

func (r *sqliteRow) cell(i int) (class, []byte, bool) {
	switch r.ColumnType(i) {
	case sqlite3.TEXT:
		return textual, r.ColumnRawText(i), false
	case sqlite3.INTEGER:
		return integer, strconv.AppendInt(r.digits[:0], r.ColumnInt64(i), 10), false
	case sqlite3.FLOAT:
		f := r.ColumnFloat(i)
		if f-f != 0 { // an infinity; SQLite has no NaN
			return floating, []byte("Infinity"), false
		}
		return floating, codec.AppendFloat(r.digits[:0], f), false
	case sqlite3.BLOB:
		return blob, nil, false
	}
	return textual, nil, true
}
