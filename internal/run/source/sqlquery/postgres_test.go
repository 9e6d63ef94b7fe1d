package sqlquery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/testkit/postgres"
)

// endless is a statement that ends only when it is made to.
const endless = "select count(*) from pg_sleep(600) where :kind <> ''"

func TestOnPostgres(t *testing.T) {
	w, server := postgresWorld(t)
	watch, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Close(context.Background()) }() // it is done with
	t.Run("probe", func(t *testing.T) { probeMisfits(t, w) })
	t.Run("expiry", func(t *testing.T) { expiry(t, w, watch) })
	t.Run("a killed backend", func(t *testing.T) { killedBackend(t, w, watch) })
	t.Run("refusals", func(t *testing.T) { refusals(t, w) })
	t.Run("an altered table", func(t *testing.T) { alteredTable(t, w, server) })
	t.Run("secrets", func(t *testing.T) { secrets(t, server) })
	t.Run("side by side", func(t *testing.T) { sideBySide(t, w) })
}

// running waits until a statement of ours runs, and gives its backend.
func running(t testing.TB, watch *pgx.Conn) (pid int) {
	t.Helper()
	for {
		err := watch.QueryRow(t.Context(), `select pid from pg_stat_activity where application_name = 'towpath' and state = 'active' and query like '%pg_sleep%' limit 1`).Scan(&pid)
		if err == nil {
			return pid
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
	}
}

// backends are our connections, and how many of them are at work.
func backends(t testing.TB, watch *pgx.Conn) (all, active int) {
	t.Helper()
	err := watch.QueryRow(t.Context(), `select count(*), count(*) filter (where state = 'active') from pg_stat_activity where application_name = 'towpath'`).Scan(&all, &active)
	if err != nil {
		t.Fatal(err)
	}
	return all, active
}

func expiry(t *testing.T, w *world, watch *pgx.Conn) {
	s := w.open(t, "connections = 1\n")
	slow := mustBind(t, s, "count", endless)
	backend := mustBind(t, s, "count", "select pg_backend_pid() where :kind <> ''")
	pid := call(t.Context(), t, backend, `["k","Japan"]`)[0].answer

	// A deadline, and a batch that waits for the only connection meanwhile.
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { expect(t, call(ctx, t, slow, `["k","Japan"]`), source.Expired, "the time was up before") })
	expect(t, call(ctx, t, slow, `["k","Japan"]`, `["l","Japan"]`), source.Expired, "the time was up before")
	wg.Wait()

	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		running(t, watch)
		cancel()
	})
	expect(t, call(ctx, t, slow, `["k","Japan"]`), source.Expired, "nobody waits")
	wg.Wait()
	if all, active := backends(t, watch); all > 1 || active > 0 {
		t.Errorf("%d connections are left, %d of them at work", all, active)
	}
	// What was cancelled in time costs no connection.
	if r := call(t.Context(), t, backend, `["k","Japan"]`)[0]; r.answer != pid {
		t.Errorf("the backend was %s and is %v", pid, r)
	}
}

func killedBackend(t *testing.T, w *world, watch *pgx.Conn) {
	s := w.open(t, "connections = 2\n")
	slow := mustBind(t, s, "count", endless)
	quick := mustBind(t, s, "count", countOfKind)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := watch.Exec(t.Context(), "select pg_terminate_backend($1)", running(t, watch)); err != nil {
			t.Error(err)
		}
	})
	expect(t, call(t.Context(), t, slow, `["k","Japan"]`), source.Unreachable, "57P01")
	wg.Wait()
	if r := call(t.Context(), t, quick, `["k","Japan"]`)[0]; r.answer != "2" {
		t.Errorf("afterwards: %v", r)
	}
}

func TestServerRestart(t *testing.T) {
	w, server := postgresWorld(t)
	s := w.open(t, "connections = 4\n")
	c := mustBind(t, s, "count", countOfKind)
	// Several connections lie idle.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { call(t.Context(), t, c, `["k","Japan"]`) })
	}
	wg.Wait()
	server.Stop(t)
	for range 3 {
		for _, r := range call(t.Context(), t, c, `["k","Japan"]`, `["l","Japan"]`) {
			if source.KindOf(r.err) != source.Unreachable {
				t.Errorf("while it is stopped: %v", r.err)
			}
		}
	}
	server.Restart(t)
	if r := call(t.Context(), t, c, `["k","Japan"]`)[0]; r.answer != "2" {
		t.Errorf("afterwards: %v", r)
	}
}

func refusals(t *testing.T, w *world) {
	s := w.open(t, "")
	ask := func(s *Source, op, sql string, args ...string) []result {
		return call(t.Context(), t, mustBind(t, s, op, sql), args...)
	}
	const all = `["k","Japan"]`
	expect(t, ask(s, "count", "select 1 / (case when :kind = 'k' then 0 else 1 end)", all), source.Refused, "22012")
	expect(t, ask(s, "count", "select cast(:kind as int)", all), source.Refused, "22P02")
	expect(t, ask(s, "count", countOfKind, `["\u0000","Japan"]`), source.Refused, "22021")
	expect(t, ask(s, "ids", "insert into items (id) select kind from calls returning 0 as call, id", `["k"]`), source.Refused, "25006")
	expect(t, ask(s, "takes", "select interval '1 month' where :id <> ''", `["k"]`), source.Unfit, "an interval of 1 months")
	expect(t, ask(s, "takes", "select interval '-10000000000 s' where :id <> ''", `["k"]`), source.Unfit, "longer than the 292 years")
	written := ask(w.open(t, "mode = \"read-write\"\n"), "ids",
		"insert into items (id, kind) select 'w' || call, kind from calls returning substr(id, 2)::int as call, id", `["written"]`, `["written"]`)
	if written[0].answer != `["w0"]` || written[1].answer != `["w1"]` {
		t.Errorf("written: %v", written)
	}
	item := func(column, value string) string {
		return strings.Replace("select "+columns+" from items i where id = :id", " "+column+",", " "+value+" as "+column+",", 1)
	}
	for _, c := range [][3]string{
		{"weight", "'NaN'::numeric", "`weight` is \"NaN\"; expected Decimal"},
		{"ratio", "'-Infinity'::float8", "`ratio` is \"-Infinity\"; expected Float"},
		{"count", "1.5", "`count` is \"1.5\"; expected Int"},
		{"made", "date 'infinity'", "`made` is infinity or -infinity"},
		{"made", "date '0044-03-15 BC'", "`made` is a date beyond the years 0 to 9999"},
		{"seen", "timestamptz '-infinity'", "`seen` is infinity or -infinity"},
		{"seen", "timestamp '3000-01-01'", "`seen` is an instant beyond the years 1678 to 2262"},
		{"tags", "'[1'", "`tags` is \"[1\", which is no JSON; expected the JSON of List<String>"},
	} {
		results := ask(s, "item", item(c[0], c[1]), `["a"]`, `["x"]`)
		expect(t, results[:1], source.Unfit, c[2])
		if results[1].answer != "null" {
			t.Errorf("%s: another call of the batch: %v", c[1], results[1])
		}
	}
}

func alteredTable(t *testing.T, w *world, server *postgres.Server) {
	server.Exec(t, "create table narrow (id text, n int); insert into narrow values ('a', 1)")
	s := w.open(t, "connections = 1\n")
	c := mustBind(t, s, "brief", "select id, n as count from (select * from narrow) x where id = :id")
	if r := call(t.Context(), t, c, `["a"]`)[0]; r.answer != `{"id":"a","count":1}` {
		t.Fatalf("%v", r)
	}
	server.Exec(t, "alter table narrow alter n type numeric")
	expect(t, call(t.Context(), t, c, `["a"]`), source.Unavailable, "0A000")
	if r := call(t.Context(), t, c, `["a"]`)[0]; r.answer != `{"id":"a","count":1}` {
		t.Errorf("afterwards: %v", r)
	}
}

// secrets checks that no error has a part of the url in it.
func secrets(t *testing.T, server *postgres.Server) {
	server.Exec(t, "create role guest login password 'sesame' connection limit 0")
	right, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(u *url.URL)
		kind   source.Kind
		text   string
	}{
		{func(u *url.URL) { u.User = url.UserPassword("tow", "opensesame") }, source.Refused, "28P01"},
		{func(u *url.URL) { u.Path = "/nowhere" }, source.Refused, "3D000"},
		{func(u *url.URL) { u.User = url.UserPassword("guest", "sesame") }, source.Unavailable, "53300"},
		{func(u *url.URL) { u.Host = closed.Addr().String() }, source.Unreachable, "no connection to PostgreSQL: connection refused"},
		{func(u *url.URL) { u.RawQuery = "sslmode=require" }, source.Unreachable, "no connection to PostgreSQL: it"},
	} {
		u := *right
		c.change(&u)
		s := (&world{settings: fmt.Sprintf("type = \"postgres\"\nurl = %q\n", u.String())}).open(t, "")
		caller := mustBind(t, s, "count", countOfKind)
		results := call(t.Context(), t, caller, `["k","Japan"]`)
		expect(t, results, c.kind, c.text)
		probe := s.Probe(t.Context(), []source.Caller{caller})
		for err := probe; err != nil; err = errors.Unwrap(err) {
			for _, secret := range []string{"sesame", u.Hostname(), u.Port()} {
				if strings.Contains(err.Error(), secret) || strings.Contains(results[0].err.Error(), secret) {
					t.Errorf("%v tells %s", err, secret)
				}
			}
		}
	}
}

func sideBySide(t *testing.T, w *world) {
	s := w.open(t, "connections = 3\n")
	c := mustBind(t, s, "items", suite[1].sql)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for i, r := range call(t.Context(), t, c, suite[1].args...) {
					if r.err != nil || len(r.answer) < 2 {
						t.Errorf("call %d: %v", i, r)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestKinds(t *testing.T) {
	for code, want := range map[string]source.Kind{
		"57P01": source.Unreachable, "08006": source.Unreachable, "57P03": source.Unavailable, "53200": source.Unavailable,
		"40P01": source.Unavailable, "55P03": source.Unavailable, "57014": source.Expired, "42601": source.Refused,
		"42P01": source.Refused, "22003": source.Refused, "P0001": source.Failed, "XX000": source.Failed, "": source.Failed,
	} {
		if got := kindOf(&pgconn.PgError{Code: code}); got != want {
			t.Errorf("%s is %s; expected %s", code, got, want)
		}
	}
	for _, err := range []error{io.EOF, syscall.ECONNRESET, &net.DNSError{Name: "secret"}, context.DeadlineExceeded, errors.New("secret")} {
		if text := reason(fmt.Errorf("at secret: %w", err)); strings.Contains(text, "secret") {
			t.Errorf("%v gives the reason %s", err, text)
		}
	}
}
