package sqlquery

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/ncruces/go-sqlite3"

	"towpath.dev/internal/run/source"
)

// Codes of PostgreSQL, see its documentation's appendix A.
const (
	queryCanceled    = "57014"
	adminShutdown    = "57P01"
	crashShutdown    = "57P02"
	cannotConnectNow = "57P03"
	lockNotAvailable = "55P03"
	notSupported     = "0A000" // among others: a prepared statement's columns have changed
	noSuchStatement  = "26000"
)

// expired says that a batch's context has ended.
func expired(ctx context.Context, what string) *source.Error {
	err := source.Errorf(source.Expired, "the time was up before %s", what)
	if errors.Is(ctx.Err(), context.Canceled) {
		err.Message = "nobody waits for the answers any more"
	}
	err.Err = ctx.Err()
	return err
}

func isCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

// failure says what an error of pgx means. It has neither the url nor a part of it:
// only what the server says is passed on.
func (p *postgresDB) failure(ctx context.Context, err error) *source.Error {
	var own *source.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil && p.pool.Stat().AcquiredConns() == p.pool.Stat().MaxConns() && errors.Is(err, ctx.Err()):
		return expired(ctx, "one of the source's `connections` was free or PostgreSQL answered")
	case ctx.Err() != nil:
		return expired(ctx, "PostgreSQL answered")
	case errors.As(err, &pg):
		kind := kindOf(pg)
		if kind == source.Unreachable || pg.Code == noSuchStatement || isStale(pg) {
			// What befell this connection will befall the idle ones.
			p.pool.Reset()
		}
		return &source.Error{Kind: kind, Message: "PostgreSQL says " + pg.Code + ", " + pg.Message, Err: pg}
	}
	p.pool.Reset()
	return source.Errorf(source.Unreachable, "no connection to PostgreSQL: %s", reason(err))
}

// isStale reports whether a prepared statement has to be prepared anew.
func isStale(pg *pgconn.PgError) bool {
	return pg.Code == notSupported && strings.Contains(pg.Routine, "RevalidateCachedQuery")
}

// kindOf is the kind of what the server says.
func kindOf(pg *pgconn.PgError) source.Kind {
	switch pg.Code {
	case queryCanceled: // by its own statement_timeout, or by an operator
		return source.Expired
	case adminShutdown, crashShutdown:
		return source.Unreachable
	case cannotConnectNow, lockNotAvailable, noSuchStatement:
		return source.Unavailable
	}
	if isStale(pg) {
		return source.Unavailable
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "08":
		return source.Unreachable
	case "53", "40": // no resources; a deadlock or a transaction in another's way
		return source.Unavailable
	case "0A", "21", "22", "23", "25", "28", "2F", "34", "3D", "3F", "42":
		return source.Refused
	}
	return source.Failed
}

// reason is why a connection failed, in words that hold no address.
func reason(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown), errors.As(err, &host):
		return "its certificate is not trusted"
	case errors.As(err, &dns):
		return "its host's name is not known"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "it was closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer within " + connectTimeout.String()
	}
	return "it failed"
}

// sqliteFailure says what an error of SQLite means.
func sqliteFailure(ctx context.Context, err error) *source.Error {
	var own *source.Error
	var e *sqlite3.Error
	var code sqlite3.ErrorCode
	switch {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil:
		return expired(ctx, "SQLite answered")
	case errors.As(err, &e):
		code = e.Code()
	case !errors.As(err, &code):
		return source.Errorf(source.Failed, "SQLite: %w", err)
	}
	text := func() string { return "SQLite says: " + strings.TrimPrefix(err.Error(), "sqlite3: ") }
	switch code {
	case sqlite3.BUSY, sqlite3.LOCKED, sqlite3.NOMEM, sqlite3.FULL:
		return &source.Error{Kind: source.Unavailable, Message: text()}
	case sqlite3.CANTOPEN:
		return source.Errorf(source.Unreachable, "the `file` cannot be opened: %s", reason(err))
	case sqlite3.ERROR, sqlite3.READONLY, sqlite3.TOOBIG, sqlite3.CONSTRAINT, sqlite3.MISMATCH, sqlite3.AUTH, sqlite3.RANGE, sqlite3.SCHEMA, sqlite3.PERM:
		return &source.Error{Kind: source.Refused, Message: text()}
	}
	// The text of others may hold the file's path.
	return source.Errorf(source.Failed, "SQLite says: %s", strings.TrimPrefix(code.Error(), "sqlite3: "))
}

// explain adds to a mistake in a statement whose it is, and what calls has where
// that may be what the statement was looking for.
func (o *operation) explain(err *source.Error) error {
	text := o.name + ": " + strings.TrimPrefix(err.Message, o.name+": ")
	if err.Kind == source.Refused && o.given.calls && strings.Contains(err.Message, "column") {
		text += "; `calls` has call, " + strings.Join(o.params.paths(), ", ")
	}
	return &source.Error{Kind: err.Kind, Message: text, Err: err.Err, After: err.After}
}
