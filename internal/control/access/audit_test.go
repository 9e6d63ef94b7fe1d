package access

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func all(*Event) bool { return true }

func TestAudit(t *testing.T) {
	// In a bubble, files that are put aside have times of their own.
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "audit")
		a, err := OpenAudit(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		a.most = 500
		const events = 100
		for i := range events {
			a.Write(Event{Time: time.Now(), Principal: fmt.Sprintf("p%d", i%2), Procedure: "/x", Subject: fmt.Sprint(i), Outcome: "ok"})
			time.Sleep(time.Millisecond)
		}
		got, err := a.Newest(7, all)
		if err != nil || len(got) != 7 || got[0].Subject != "99" || got[6].Subject != "93" {
			t.Errorf("the newest are %v, %v", got, err)
		}
		got, err = a.Newest(3, func(e *Event) bool { return e.Principal == "p0" })
		if err != nil || len(got) != 3 || got[2].Subject != "94" {
			t.Errorf("the newest of p0 are %v, %v", got, err)
		}
		old, err := filepath.Glob(filepath.Join(dir, "audit-*"))
		if err != nil || len(old) != auditKept {
			t.Errorf("%d files were kept, %v", len(old), err)
		}
		for _, name := range append(old, filepath.Join(dir, auditName)) {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		time.Sleep(2 * auditSync)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}

		// What a crash has cut is left out, and does not spoil the line after it.
		f, err := os.OpenFile(filepath.Join(dir, auditName), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(`{"time":"20`)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		if a, err = OpenAudit(dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		a.Write(Event{Time: time.Now(), Subject: "after"})
		got, err = a.Newest(2, all)
		if err != nil || len(got) != 2 || got[0].Subject != "after" || got[1].Subject != "99" {
			t.Errorf("after a crash there are %v, %v", got, err)
		}
	})
}

// TestAuditFails: a log that cannot be written says so until it can.
func TestAuditFails(t *testing.T) {
	a, err := OpenAudit(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	good := a.file
	if a.file, err = os.Open(good.Name()); err != nil { // for reading alone
		t.Fatal(err)
	}
	a.Write(Event{})
	if a.Err() == nil {
		t.Error("a line was not written, and nobody knows")
	}
	bad := a.file
	a.file = good
	a.Write(Event{})
	if a.Err() != nil {
		t.Error(a.Err())
	}
	if err := bad.Close(); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
