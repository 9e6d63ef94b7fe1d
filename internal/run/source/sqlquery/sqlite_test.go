package sqlquery

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"towpath.dev/internal/run/source"
)

const countOfKind = "select count(*) from items where kind = :kind"

func TestProbeOnSQLite(t *testing.T) { probeMisfits(t, sqliteWorld(t)) }

func TestMissingFile(t *testing.T) {
	w := &world{settings: "type = \"sqlite\"\nfile = \"sub/none.db\"\n", dir: t.TempDir()}
	s := w.open(t, "")
	c := mustBind(t, s, "count", countOfKind)
	for range 2 {
		expect(t, call(t.Context(), t, c, `["k","Japan"]`), source.Unreachable, "the `file` cannot be opened: no such file or directory")
	}
	if err := s.Probe(t.Context(), nil); source.KindOf(err) != source.Unreachable {
		t.Error("a probe finds no file and says ", err)
	}
}

// expect checks that all calls have failed alike.
func expect(t *testing.T, results []result, kind source.Kind, text string) {
	t.Helper()
	for _, r := range results {
		if r.err == nil {
			t.Errorf("answered %s; expected an error of kind %s", r.answer, kind)
		} else if source.KindOf(r.err) != kind || !strings.Contains(r.err.Error(), text) {
			t.Errorf("%v; expected kind %s and %q", r.err, kind, text)
		}
	}
}

func TestReplacedFile(t *testing.T) {
	w, other := sqliteWorld(t), sqliteWorld(t)
	db, err := sqlite3.Open(filepath.Join(other.dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("delete from items where id = 'a'"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c := mustBind(t, w.open(t, "mode = \"immutable\"\n"), "count", countOfKind)
	if got := call(t.Context(), t, c, `["k","Japan"]`)[0]; got.answer != "2" {
		t.Errorf("before: %v", got)
	}
	if err := os.Rename(filepath.Join(other.dir, "shop.db"), filepath.Join(w.dir, "shop.db")); err != nil {
		t.Fatal(err)
	}
	if got := call(t.Context(), t, c, `["k","Japan"]`)[0]; got.answer != "1" {
		t.Errorf("after: %v", got)
	}
}

func TestLockedFile(t *testing.T) {
	w := sqliteWorld(t)
	s := w.open(t, "")
	s.db.(*sqliteDB).patience = time.Millisecond
	c := mustBind(t, s, "count", countOfKind)
	other, err := sqlite3.Open(filepath.Join(w.dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec("begin exclusive"); err != nil {
		t.Fatal(err)
	}
	expect(t, call(t.Context(), t, c, `["k","Japan"]`), source.Unavailable, "database is locked")
	if err := other.Exec("commit"); err != nil {
		t.Fatal(err)
	}
	if got := call(t.Context(), t, c, `["k","Japan"]`)[0]; got.answer != "2" {
		t.Errorf("afterwards: %v", got)
	}
}

func TestExpiryOnSQLite(t *testing.T) {
	w := sqliteWorld(t)
	s := w.open(t, "connections = 1\n")
	endless := mustBind(t, s, "count", "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n where :kind <> ''")
	quick := mustBind(t, s, "count", countOfKind)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	expect(t, call(ctx, t, endless, `["k","Japan"]`, `["l","Japan"]`), source.Expired, "the time was up before SQLite answered")
	if got := call(t.Context(), t, quick, `["k","Japan"]`)[0]; got.answer != "2" {
		t.Errorf("afterwards: %v", got)
	}

	// The only connection is taken.
	held, err := s.db.(*sqliteDB).acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	expect(t, call(gone, t, quick, `["k","Japan"]`), source.Expired, "nobody waits")
	s.db.(*sqliteDB).release(held, nil)
}

func TestReadOnlySQLite(t *testing.T) {
	w := sqliteWorld(t)
	const write = "insert into items (id, kind) select 'new' || call, kind from calls where true returning substr(id, 4) + 0 as call, 1"
	c := mustBind(t, w.open(t, ""), "count", write)
	expect(t, call(t.Context(), t, c, `["k","Japan"]`), source.Refused, "readonly")
	c = mustBind(t, w.open(t, "mode = \"read-write\"\n"), "count", write)
	for _, r := range call(t.Context(), t, c, `["z","Japan"]`, `["z","Europe"]`) {
		if r.answer != "1" {
			t.Errorf("%v", r)
		}
	}
}

func TestOversizeAndForeignCalls(t *testing.T) {
	s := sqliteWorld(t).open(t, "")
	c := mustBind(t, s, "count", "select 7 as call, 1 from calls")
	expect(t, call(t.Context(), t, c, `["k","Japan"]`), source.Unfit, "a row for call 7; expected one of the 1 that `calls` holds")
	c = mustBind(t, s, "ids", "with recursive n(i) as (select 1 union all select i + 1 from n limit 70) select hex(zeroblob(500000)) from n where :kind <> ''")
	expect(t, call(t.Context(), t, c, `["k"]`), source.Unfit, "more than 64 MiB")
	c = mustBind(t, s, "takes", "select 5 where :id <> ''")
	expect(t, call(t.Context(), t, c, `["k"]`), source.Unfit, "the column is \"5\"; expected Duration; give an interval or a text with a unit, such as \"90s\"")
}

// TestSideBySide asks from many goroutines at once, for the race detector.
func TestSideBySide(t *testing.T) {
	s := sqliteWorld(t).open(t, "connections = 3\n")
	c := mustBind(t, s, "items", suite[0].sql)
	one := mustBind(t, s, "count", countOfKind)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for i, r := range call(t.Context(), t, c, suite[0].args...) {
					if r.err != nil || len(r.answer) < 2 {
						t.Errorf("call %d: %v", i, r)
					}
				}
				if r := call(t.Context(), t, one, `["k","Japan"]`)[0]; r.answer != "2" {
					t.Errorf("%v", r)
				}
			}
		})
	}
	wg.Wait()
}

// TestCutOffRows checks that a statement whose context ends between two rows gives
// no answer, rather than a part of one.
func TestCutOffRows(t *testing.T) {
	s := sqliteWorld(t).open(t, "connections = 1\n")
	for _, sql := range []string{"select id from items where kind >= :kind order by id", "select call, id from calls join items i on i.kind >= calls.kind"} {
		c := mustBind(t, s, "ids", sql)
		for after := range 9 {
			ctx := &endsAfter{Context: t.Context(), left: after}
			if r := call(ctx, t, c, `["a"]`)[0]; r.err == nil && r.answer != `["a","b","c"]` {
				t.Errorf("when the context ends after %d looks: %v", after, r)
			}
		}
		if r := call(t.Context(), t, c, `["a"]`)[0]; r.answer != `["a","b","c"]` {
			t.Errorf("afterwards: %v", r)
		}
	}
}

// endsAfter is a context that has ended when it was asked so often.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}
