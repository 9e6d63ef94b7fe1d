package sqlquery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

const (
	connectTimeout = 5 * time.Second
	// cancelPatience is how long a statement whose context has ended may take to
	// hear of it, before its connection is given up.
	cancelPatience = 100 * time.Millisecond
)

// postgresDB is a PostgreSQL server's database.
type postgresDB struct {
	pool *pgxpool.Pool
}

func openPostgres(t *settings.Table) (db *postgresDB, opened [sha256.Size]byte) {
	url := t.Required("url")
	mode := t.Choice("mode", "read-only", "read-only", "read-write")
	connections := t.Int("connections", 10, 1, 1000)
	if url == "" {
		return nil, opened
	}
	authority := authorityOf(url) // first: of one that is replaced meanwhile, the old sum is told
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The reason may quote the url, which is a secret.
		t.Errorf("url", "`url` is no address of a PostgreSQL database; expected postgres://user:password@host:5432/database")
		return nil, opened
	}
	config.MaxConns = int32(connections)
	// A connection ends after an hour, pgxpool's default, and with it the statements that
	// were prepared for releases that are gone.
	config.PingTimeout = time.Second
	conn := config.ConnConfig
	conn.ConnectTimeout = connectTimeout
	conn.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler { return &canceller{conn: c} }
	for name, value := range map[string]string{
		"application_name": "towpath", "timezone": "UTC", "datestyle": "ISO", "client_encoding": "UTF8",
	} {
		if _, set := conn.RuntimeParams[name]; !set || name != "application_name" {
			conn.RuntimeParams[name] = value
		}
	}
	if mode == "read-only" {
		conn.RuntimeParams["default_transaction_read_only"] = "on"
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config) // connects at the first call
	if err != nil {
		t.Errorf("url", "`url` is no address of a PostgreSQL database that can be used")
		return nil, opened
	}
	return &postgresDB{pool}, openedOf(&conn.Config, authority)
}

// canceller ends a statement whose context has ended by a request to the server,
// so that the connection can serve on.
type canceller struct {
	conn *pgconn.PgConn
	sent chan struct{}
}

func (c *canceller) HandleCancel(context.Context) {
	until := time.Now().Add(cancelPatience)
	_ = c.conn.Conn().SetDeadline(until) // fails on a closed connection alone
	c.sent = make(chan struct{})
	go func() { // until HandleUnwatchAfterCancel, which waits for it
		defer close(c.sent)
		ctx, stop := context.WithDeadline(context.Background(), until)
		defer stop()
		_ = c.conn.CancelRequest(ctx) // without it, the deadline ends the connection
	}()
}

func (c *canceller) HandleUnwatchAfterCancel() {
	<-c.sent
	_ = c.conn.Conn().SetDeadline(time.Time{})
}

func (p *postgresDB) ask(ctx context.Context, op *operation, b *source.Batch) (*answers, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if err := s.fill(op, b); err != nil {
		return nil, err
	}
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, p.failure(ctx, err)
	}
	defer conn.Release()
	a, err := askPostgres(ctx, conn.Conn(), op, b, s)
	if ctx.Err() != nil && !isCode(err, queryCanceled) {
		// The request to cancel may come yet, and would meet the next statement.
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelPatience)
		defer stop()
		_ = conn.Conn().Close(closing) // it is given up either way
	}
	if err != nil {
		return nil, p.failure(ctx, err)
	}
	return a, nil
}

func askPostgres(ctx context.Context, conn *pgx.Conn, op *operation, b *source.Batch, s *scratch) (*answers, error) {
	described, err := conn.Prepare(ctx, op.key, op.text)
	if err != nil {
		return nil, err
	}
	f, err := op.fit(described.Fields, conn.TypeMap())
	if err != nil {
		return nil, err
	}
	reader := conn.PgConn().ExecStatement(ctx, described, s.bound, nil, f.formats)
	a := op.answers(f.plan, b)
	r := pgRow{shift: f.shift, classes: f.classes}
	for err == nil && reader.NextRow() {
		r.values = reader.Values()
		call, ok := digits(r.values[f.callColumn])
		if !ok {
			call = -1
		}
		err = a.add(call, &r)
	}
	if _, e := reader.Close(); err == nil {
		err = e
	}
	return a, err
}

// digits reads the number of a call.
func digits(v []byte) (int, bool) {
	n := 0
	for _, c := range v {
		if n = n*10 + int(c-'0'); !isDigit(c) || n > 1<<30 {
			return 0, false
		}
	}
	return n, len(v) > 0
}

// pgRow is a row as PostgreSQL sends it.
type pgRow struct {
	values  [][]byte
	classes []class // of the plan's columns
	shift   int     // where these begin
}

func (r *pgRow) cell(i int) (class, []byte, bool) {
	v := r.values[r.shift+i]
	return r.classes[i], v, v == nil
}

// fitted is a plan with what PostgreSQL says of the columns that it was made for.
type fitted struct {
	*plan
	fields     []pgconn.FieldDescription
	shift      int // the first column of the plan
	callColumn int
	classes    []class // of the plan's columns
	formats    []int16 // of all columns
}

// fit is the plan for the columns of a prepared statement. They differ only from
// one connection to another while a table is altered.
func (o *operation) fit(fields []pgconn.FieldDescription, types *pgtype.Map) (*fitted, error) {
	same := func(a, b pgconn.FieldDescription) bool { return a.Name == b.Name && a.DataTypeOID == b.DataTypeOID }
	if f := o.fitted.Load(); f != nil && slices.EqualFunc(f.fields, fields, same) {
		return f, nil
	}
	f := &fitted{fields: slices.Clone(fields)}
	if !o.given.calls {
		f.shift = 1 // behind the call
	}
	var columns []column
	for i, d := range fields {
		c, format := classOf(d.DataTypeOID)
		f.formats = append(f.formats, format)
		if i < f.shift {
			continue
		}
		f.classes = append(f.classes, c)
		columns = append(columns, column{d.Name, func(of *field) string { return suits(of, c, d, types) }})
	}
	p, err := o.lay(columns)
	if err != nil {
		return nil, err
	}
	f.plan = p
	if o.given.calls {
		f.callColumn = p.call
	}
	o.fitted.Store(f)
	return f, nil
}

// classOf is how values of a type are written, and in which format they are sent:
// as texts, but for what differs from JSON's.
func classOf(oid uint32) (class, int16) {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		return integer, pgtype.TextFormatCode
	case pgtype.NumericOID:
		return numeric, pgtype.TextFormatCode
	case pgtype.Float4OID, pgtype.Float8OID:
		return floating, pgtype.TextFormatCode
	case pgtype.BoolOID:
		return boolean, pgtype.TextFormatCode
	case pgtype.JSONOID, pgtype.JSONBOID:
		return jsonText, pgtype.TextFormatCode
	case pgtype.ByteaOID:
		return blob, pgtype.TextFormatCode
	case pgtype.DateOID:
		return date, pgtype.BinaryFormatCode
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return instant, pgtype.BinaryFormatCode
	case pgtype.IntervalOID:
		return interval, pgtype.BinaryFormatCode
	}
	return textual, pgtype.TextFormatCode
}

// suits says why a column cannot hold a field; "" when it can.
func suits(f *field, c class, d pgconn.FieldDescription, types *pgtype.Map) string {
	name := fmt.Sprintf("of type %d", d.DataTypeOID)
	if t, known := types.TypeForOID(d.DataTypeOID); known {
		name = t.Name
	}
	array := name[0] == '_'
	if array {
		name = name[1:] + "[]"
	}
	switch {
	case array && !holds(f.kind, blob):
		return fmt.Sprintf("`%s` is %s; expected the JSON of %s, as of to_jsonb()", d.Name, name, f.typ)
	case !holds(f.kind, c):
		return fmt.Sprintf("`%s` is %s; expected %s", d.Name, name, f.typ)
	}
	return ""
}

func (p *postgresDB) check(ctx context.Context, ops []*operation) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return p.failure(ctx, err)
	}
	defer conn.Release()
	var wrong []error
	for _, op := range ops {
		// Under no name: what has been prepared on a connection is not looked at again,
		// and the tables may have changed since.
		described, err := conn.Conn().Prepare(ctx, "", op.text)
		if err == nil {
			_, err = op.fit(described.Fields, conn.Conn().TypeMap())
		}
		if err != nil {
			err = op.explain(p.failure(ctx, err))
			wrong = append(wrong, err)
		}
		if conn.Conn().IsClosed() {
			break
		}
	}
	return errors.Join(wrong...)
}

func (p *postgresDB) close() error {
	p.pool.Close()
	return nil
}
