package election_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	"towpath.dev/election"
	"towpath.dev/internal/testkit/postgres"
)

func fence(seat string, generation uint64, revision int64) election.Fence {
	return election.Fence{Seat: seat, Token: election.Token{Generation: generation, Revision: revision}}
}

func TestSQLGuard(t *testing.T) {
	server := postgres.Start(t)
	db, err := sql.Open("pgx", server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	if _, err := db.Exec(election.MarksTable + "; CREATE TABLE balance (id int PRIMARY KEY, amount int); INSERT INTO balance VALUES (1, 0)"); err != nil {
		t.Fatal(err)
	}
	write := func(f election.Fence) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := f.Raise(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE balance SET amount = amount + 1"); err != nil {
			return err
		}
		return tx.Commit()
	}
	for _, step := range []struct {
		fence  election.Fence
		fenced bool
	}{
		{fence("g/0", 0, 5), false}, {fence("g/0", 0, 5), false}, {fence("g/0", 0, 4), true},
		{fence("g/1", 0, 1), false}, {fence("g/0", 1, 2), false}, {fence("g/0", 0, 99), true}, {fence("g/0", 1, 3), false},
	} {
		if err := write(step.fence); errors.Is(err, election.ErrFenced) != step.fenced || err != nil && !step.fenced {
			t.Errorf("%s: %v", step.fence, err)
		}
	}
	conn, err := pgx.Connect(ctx, server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := election.RaiseWith(ctx, fence("g/0", 1, 2), conn.Exec); !errors.Is(err, election.ErrFenced) {
		t.Errorf("with pgx: %v", err)
	}
	if err := election.RaiseWith(ctx, fence("g/0", 1, 4), conn.Exec); err != nil {
		t.Errorf("with pgx: %v", err)
	}

	handler := election.Handler{
		DB: db, Seat: func(*http.Request) string { return "g/0" },
		Do: func(w http.ResponseWriter, r *http.Request, tx *sql.Tx) error {
			if r.URL.Path == "/fail" {
				return errors.New("no")
			}
			_, err := tx.Exec("UPDATE balance SET amount = 1000")
			w.Header().Set("X-Done", "yes")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, "done")
			return err
		},
	}
	web := httptest.NewServer(handler)
	defer web.Close()
	for _, c := range []struct {
		path, fence string
		status      int
	}{
		{"/", "", 428}, {"/", "nonsense", 400}, {"/", "g/1=9.9", 403}, {"/", "g/0=1.3", 412}, {"/fail", "g/0=2.1", 500}, {"/", "g/0=1.4", 201}, {"/", "g/0=1.5", 201},
	} {
		r, _ := http.NewRequest("POST", web.URL+c.path, nil)
		if c.fence != "" {
			r.Header.Set(election.FenceHeader, c.fence)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != c.status {
			t.Errorf("%s %q: %d %s", c.path, c.fence, answer.StatusCode, body)
		}
		if c.status == 201 && (string(body) != "done" || answer.Header.Get("X-Done") != "yes") {
			t.Errorf("%s: %q", c.fence, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	var mark string
	if err := db.QueryRow("SELECT generation || '.' || revision FROM election_marks WHERE seat = 'g/0'").Scan(&mark); err != nil || mark != "1.5" {
		t.Errorf("the mark is %s, %v: what failed must not raise it", mark, err)
	}
}

func TestFencesAsText(t *testing.T) {
	for _, f := range []election.Fence{fence("invoices/0", 1, 4711), fence("größe/a=b c", 0, 1), fence("a%2Fb/x", 1<<63, 1)} {
		if back, err := election.ParseFence(f.String()); err != nil || back != f {
			t.Errorf("%s: %v, %v", f, back, err)
		}
		if strings.ContainsFunc(f.String(), func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("%q cannot stand in a header", f)
		}
	}
	for _, text := range []string{"", "a", "a/b", "a/b=1", "a/b=1.-1", "a/b=x.y", "/b=1.1", "a/=1.1", "a/b/c=1.1", "a/b=1.2.3"} {
		if f, err := election.ParseFence(text); err == nil {
			t.Errorf("%q is read as %v", text, f)
		}
	}
}
