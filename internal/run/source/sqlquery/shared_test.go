package sqlquery

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// TestSharedByReleases: one source is bound and probed for another release while it
// serves, and says of each release's statements what is wrong with those alone.
func TestSharedByReleases(t *testing.T) {
	w, server := postgresWorld(t)
	s := w.open(t, "connections = 3\n")
	good := mustBind(t, s, "count", "select count(seen) from items where kind = :kind")
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 100 {
			if r := call(t.Context(), t, good, `["k","Japan"]`)[0]; r.answer != "2" {
				t.Errorf("a call gives %q, %v", r.answer, r.err)
			}
		}
	})
	for i := range 20 {
		c := mustBind(t, s, "count", fmt.Sprintf("select count(*) + %d from items where kind = :kind", i))
		if err := s.Probe(t.Context(), []source.Caller{c}); err != nil {
			t.Error(err)
		}
		bad := mustBind(t, s, "count", "select no from items where kind = :kind")
		if err := s.Probe(t.Context(), []source.Caller{bad}); source.KindOf(err) != source.Refused {
			t.Errorf("a statement that the database refuses is probed, and says %v", err)
		}
		if err := s.Probe(t.Context(), []source.Caller{good}); err != nil {
			t.Errorf("a probe speaks for another release: %v", err)
		}
	}
	wg.Wait()

	// What is prepared on a connection was right when it was. A probe is of now.
	server.Exec(t, "alter table items rename column seen to sighted")
	if err := s.Probe(t.Context(), []source.Caller{good}); err == nil || !strings.Contains(err.Error(), `"seen" does not exist`) {
		t.Errorf("a probe after the table was altered says %v", err)
	}
}

// openedBy is the sum of a source with a url.
func openedBy(t *testing.T, url string) (sum [32]byte) {
	t.Helper()
	f := settings.Parse("env/test.toml", fmt.Appendf(nil, "[db]\ntype = \"postgres\"\nurl = %q\n", url))
	s := Open(f.Root.Table("db"), "")
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sum, shared := s.Opened()
	if !shared {
		t.Error("PostgreSQL is not shared")
	}
	return sum
}

// TestOpenedTellsFilesApart: what pgx reads beside the url counts.
func TestOpenedTellsFilesApart(t *testing.T) {
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	t.Setenv("PGPASSFILE", passwords)
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const url = "postgres://u@h:5432/d"
	write(passwords, "h:5432:d:u:one\n")
	before := openedBy(t, url)
	if openedBy(t, url) != before {
		t.Error("the same is opened differently")
	}
	write(passwords, "h:5432:d:u:two\n")
	if openedBy(t, url) == before {
		t.Error("another password in PGPASSFILE makes no difference")
	}

	ca := filepath.Join(dir, "c a.pem")
	text, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	write(ca, string(text))
	for _, url := range []string{url + "?sslmode=verify-full&sslrootcert=" + strings.ReplaceAll(ca, " ", "%20"), "host=h user=u sslmode=verify-ca sslrootcert='" + ca + "'"} {
		write(ca, string(text))
		before = openedBy(t, url)
		write(ca, string(text)+"\n# another")
		if openedBy(t, url) == before {
			t.Errorf("another authority makes no difference with %s", url)
		}
	}

	w := sqliteWorld(t)
	if _, shared := w.open(t, "").Opened(); shared {
		t.Error("SQLite is shared")
	}
}
