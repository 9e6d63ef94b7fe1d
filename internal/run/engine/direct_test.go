package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
)

const direct = `
	service S {
		fn get(n: Int) -> Int
		fn other(n: Int) -> Int
		fn soon(n: Int) -> Int within 10ms
	}
	view again(n: Int) -> Int { S.get(S.other(S.get(n) within 5ms else 1)) }
	view lean(n: Int) -> Int { (optional S.get(1) else S.get(2)) + S.other(n) }
	view soon(n: Int) -> Int { S.soon(n) else -1 }
`

// here is a Direct source: each call is answered by what answer says, after a while.
type here struct {
	answer func(ctx context.Context, op string, args string) (string, error)
	start  time.Time

	mu    sync.Mutex
	begun map[string]time.Duration // when each call was asked
}

func (h *here) Ask(ctx context.Context, b *engine.Batch) { go h.AskHere(ctx, b) }

func (h *here) AskHere(ctx context.Context, b *engine.Batch) bool {
	for i := range b.Len() {
		h.mu.Lock()
		h.begun[b.Operation.Name+string(b.Args(i))] = time.Since(h.start)
		h.mu.Unlock()
		body, err := h.answer(ctx, b.Operation.Name, string(b.Args(i)))
		if err != nil {
			b.Fail(i, err)
			continue
		}
		b.Answer(i, []byte(body))
	}
	return true
}

// TestGivenUpAndAskedAgain: what becomes of a batch that was given up is nothing to
// a call that is asked again.
func TestGivenUpAndAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first *engine.Batch
		var firstCtx context.Context
		p := load(t, direct, engine.Options{Source: engine.SourceFunc(func(ctx context.Context, b *engine.Batch) {
			switch {
			case b.Operation.Name == "other":
				b.Answer(0, []byte("1"))
			case first == nil:
				first, firstCtx = b, ctx
			default:
				if err := firstCtx.Err(); err != context.Canceled {
					t.Errorf("the batch that nobody wants ended with %v", err)
				}
				first.Fail(0, firstCtx.Err())
				time.AfterFunc(time.Millisecond, func() { b.Answer(0, []byte("7")) })
			}
		})})
		if got := answer(t, p, "again", `{"n":1}`); got != "7" {
			t.Errorf("got %s, want 7", got)
		}
	})
}

// TestNothingWaitsForADirectSource: a pass that can run already does not wait for
// the only batch.
func TestNothingWaitsForADirectSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &here{begun: map[string]time.Duration{}, start: time.Now(), answer: func(context.Context, string, string) (string, error) {
			time.Sleep(20 * time.Millisecond)
			return "5", nil
		}}
		p := load(t, direct, engine.Options{Source: h, Shed: func(engine.ScopeInfo) bool { return true }})
		if got := answer(t, p, "lean", `{"n":1}`); got != "10" {
			t.Errorf("got %s, want 10", got)
		}
		if took := time.Since(h.start); took != 20*time.Millisecond || h.begun["get[2]"] != 0 {
			t.Errorf("it took %s; asked at %v", took, h.begun)
		}
	})
}

// TestLateDirectAnswer: an answer that comes after the call's time is none, however
// the call was asked.
func TestLateDirectAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, late := range []time.Duration{-1, 1} {
			h := &here{begun: map[string]time.Duration{}, start: time.Now(), answer: func(context.Context, string, string) (string, error) {
				time.Sleep(10*time.Millisecond + late)
				return "5", nil
			}}
			p := load(t, direct, engine.Options{Source: h})
			if got, want := answer(t, p, "soon", `{"n":1}`), map[bool]string{true: "-1", false: "5"}[late > 0]; got != want {
				t.Errorf("an answer %s late gives %s, want %s", late, got, want)
			}
		}
	})
}

// TestCacheOfCompiledModules: a folder that cannot be written or holds damage costs
// time and nothing else.
func TestCacheOfCompiledModules(t *testing.T) {
	_, data := buildProgram(t, `view n() -> Int { 1 }`)
	works := func(dir string) error {
		p, err := engine.Load(t.Context(), data, engine.Options{CacheDir: dir})
		if err != nil {
			return err
		}
		defer p.Close(t.Context())
		out, err := p.AppendCall(t.Context(), nil, "n", []byte("{}"))
		if err == nil && string(out) != "1" {
			err = errors.New(string(out))
		}
		return err
	}
	whole := t.TempDir()
	if err := works(whole); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(filepath.Join(whole, "*", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("it keeps %v, %v", kept, err)
	}
	version := filepath.Base(filepath.Dir(kept[0]))
	for name, spoil := range map[string]func(dir string) error{
		"no folder":     func(dir string) error { return os.WriteFile(filepath.Join(dir, version), nil, 0o600) },
		"no room":       func(dir string) error { return os.Symlink("/proc/self", filepath.Join(dir, version)) },
		"damage":        func(dir string) error { return copyTo(dir, kept[0], func(b []byte) []byte { return b[:10] }) },
		"more damage":   func(dir string) error { return copyTo(dir, kept[0], func(b []byte) []byte { return b[:len(b)/2] }) },
		"another thing": func(dir string) error { return copyTo(dir, kept[0], func([]byte) []byte { return make([]byte, 1000) }) },
	} {
		if name == "no room" && runtime.GOOS != "linux" {
			continue
		}
		dir := t.TempDir()
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if err := works(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := works(string([]byte{0})); err != nil {
		t.Error(err)
	}
}

// copyTo copies a kept module into another cache, changed.
func copyTo(dir, file string, change func([]byte) []byte) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.Base(filepath.Dir(file)))
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, filepath.Base(file)), change(text), 0o600)
}
