package election

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// ErrFenced says that a write came with an older token than one seen before: its
// writer no longer leads.
var ErrFenced = errors.New("a newer leader has been here")

// A Fence is a token with the name of its seat, to be sent along with what a leader
// writes.
type Fence struct {
	Seat  string // GROUP/SEAT
	Token Token
}

// FenceHeader is the HTTP header that carries a fence.
const FenceHeader = "Fencing-Token"

// String is the fence as the header has it: GROUP/SEAT=GENERATION.REVISION, both
// names with percent signs where a URL's path has them.
func (f Fence) String() string {
	group, seat, _ := strings.Cut(f.Seat, "/")
	return url.PathEscape(group) + "/" + url.PathEscape(seat) + "=" + f.Token.String()
}

// ParseFence reads what String writes.
func ParseFence(text string) (Fence, error) {
	wrong := fmt.Errorf("%q is no fence: expected GROUP/SEAT=GENERATION.REVISION, as in invoices/0=1.4711", text)
	at := strings.LastIndexByte(text, '=')
	group, seat, ok := strings.Cut(text[:max(at, 0)], "/")
	if !ok || group == "" || seat == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return Fence{}, wrong
	}
	g, errG := url.PathUnescape(group)
	s, errS := url.PathUnescape(seat)
	token, errT := ParseToken(text[at+1:])
	if errG != nil || errS != nil || errT != nil || validName("group", g) != nil || validName("seat", s) != nil {
		return Fence{}, wrong
	}
	return Fence{g + "/" + s, token}, nil
}

// MarksTable is the table of PostgreSQL that remembers the greatest token of each
// seat. It belongs into the same database as what the leaders write.
const MarksTable = `CREATE TABLE IF NOT EXISTS election_marks (
	seat text PRIMARY KEY, generation bigint NOT NULL, revision bigint NOT NULL)`

// RaiseMark is the statement that raises a seat's mark to a token (seat, generation,
// revision) and changes no row when the mark is higher already. It must run in the
// transaction of the write that it guards, before it: the row it locks keeps leaders
// of one seat apart until the transaction has ended.
const RaiseMark = `INSERT INTO election_marks AS m (seat, generation, revision) VALUES ($1, $2, $3)
	ON CONFLICT (seat) DO UPDATE SET generation = EXCLUDED.generation, revision = EXCLUDED.revision
	WHERE (m.generation, m.revision) <= (EXCLUDED.generation, EXCLUDED.revision)`

// Raise guards the rest of a transaction of PostgreSQL: it fails with ErrFenced when
// a newer leader has been here, and the transaction must then be rolled back. A new
// leader calls it once before it reads what it works on, too: from then on nothing of
// its predecessor's arrives.
func (f Fence) Raise(ctx context.Context, tx *sql.Tx) error {
	return RaiseWith(ctx, f, func(ctx context.Context, query string, args ...any) (affected, error) {
		r, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return affected(0), err
		}
		n, err := r.RowsAffected()
		return affected(n), err
	})
}

type affected int64

func (n affected) RowsAffected() int64 { return int64(n) }

// RaiseWith is Raise for drivers other than database/sql: with pgx,
// RaiseWith(ctx, fence, tx.Exec).
func RaiseWith[T interface{ RowsAffected() int64 }](ctx context.Context, f Fence, exec func(context.Context, string, ...any) (T, error)) error {
	r, err := exec(ctx, RaiseMark, f.Seat, int64(f.Token.Generation), f.Token.Revision)
	if err != nil {
		return fmt.Errorf("election: the mark of %s: %w", f.Seat, err)
	}
	if r.RowsAffected() == 0 {
		return fmt.Errorf("election: %s with the token %s: %w", f.Seat, f.Token, ErrFenced)
	}
	return nil
}

// maxGuarded is how much a guarded handler may answer: it is kept until the commit.
const maxGuarded = 8 << 20

// A Handler guards what requests do to a database: it raises the mark of the
// request's fence and calls Do in one transaction, so that the mark and the effect
// become durable together or not at all.
//
// It answers 428 to a request without a fence, 400 to one that cannot be read, 403 to
// one of another seat, and 412 to one that a newer leader has overtaken.
type Handler struct {
	DB *sql.DB
	// Seat is the seat, as GROUP/SEAT, whose holder alone may ask this.
	Seat func(*http.Request) string
	// Do does what is asked for, with tx alone. An error rolls all of it back. What
	// it answers is sent after the commit.
	Do func(w http.ResponseWriter, r *http.Request, tx *sql.Tx) error
}

func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := r.Header.Get(FenceHeader)
	if text == "" {
		http.Error(w, "the header "+FenceHeader+" is missing: send the fence of the seat "+h.Seat(r), http.StatusPreconditionRequired)
		return
	}
	f, err := ParseFence(text)
	if err != nil {
		http.Error(w, "the header "+FenceHeader+": "+err.Error(), http.StatusBadRequest)
		return
	}
	if seat := h.Seat(r); f.Seat != seat {
		http.Error(w, fmt.Sprintf("the header %s is of the seat %s: expected one of %s", FenceHeader, f.Seat, seat), http.StatusForbidden)
		return
	}
	answer := &kept{header: http.Header{}, status: http.StatusOK}
	err = h.do(answer, r, f)
	switch {
	case errors.Is(err, ErrFenced):
		http.Error(w, err.Error()+": it must not write any more", http.StatusPreconditionFailed)
	case err != nil:
		http.Error(w, "nothing was done: "+err.Error(), http.StatusInternalServerError)
	default:
		maps.Copy(w.Header(), answer.header)
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes()) // the client has left: the effect stays
	}
}

func (h Handler) do(w http.ResponseWriter, r *http.Request, f Fence) error {
	tx, err := h.DB.BeginTx(r.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it has nothing to do
	if err := f.Raise(r.Context(), tx); err != nil {
		return err
	}
	if err := h.Do(w, r, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// kept is an answer that waits for its commit.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header    { return k.header }
func (k *kept) WriteHeader(status int) { k.status = status }
func (k *kept) Write(p []byte) (int, error) {
	if k.body.Len()+len(p) > maxGuarded {
		return 0, fmt.Errorf("a guarded answer has at most %d bytes", maxGuarded)
	}
	return k.body.Write(p)
}
