package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
)

const secretView = `
	service Store { fn get(key: String) -> String within 1s }
	view echo(text: String) -> String { "{text}{text}" }
	view many(text: String, n: Int) -> Int { list.range(0, n) |> map(i => "{text}{i}") |> map(s => string.length(s)) |> fold(0, (a, b) => a + b) }
	view fails(text: String) -> Int { string.length("{text}!") / 0 }
	view asks(text: String) -> String { "{text}{Store.get(text)}" }
	view asksTwice(text: String) -> String { Store.get("{text}{Store.get(text)}") else "none" }
`

// TestIsolation sends requests that carry a secret through every way that a
// request can end, and then looks for it in all that the next could reach.
func TestIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "hunter2-hunter2"
		source := engine.SourceFunc(func(ctx context.Context, b *engine.Batch) {
			for i := range b.Len() {
				switch args := string(b.Args(i)); {
				case strings.Contains(args, "slow"):
					time.AfterFunc(100*time.Millisecond, func() { b.Answer(i, []byte(`"`+secret+`-slowly"`)) })
				case strings.Contains(args, "fail"):
					b.Fail(i, fmt.Errorf("no %s", args))
				case strings.Contains(args, "never"):
				default:
					b.Answer(i, []byte(`"\u0021`+secret+`"`))
				}
			}
		})
		p := load(t, secretView, engine.Options{Source: source})
		for _, c := range []struct{ view, input string }{
			{"echo", `{"text":"%s"}`},
			{"echo", `{"text":"\u0041%s"}`},
			{"echo", `{"text":"%s`},
			{"echo", `{"text":"%s","x":"%[1]s","y":}`},
			{"many", `{"text":"%s","n":10}`},
			{"many", `{"text":"%s","n":20000}`},
			{"fails", `{"text":"%s"}`},
			{"asks", `{"text":"%s"}`},
			{"asks", `{"text":"%s slow"}`},
			{"asks", `{"text":"%s fail"}`},
			{"asks", `{"text":"%s never"}`},
			{"asksTwice", `{"text":"%s slow"}`},
			{"asksTwice", `{"text":"%s"}`},
			{"asksTwice", `{"text":"%s fail"}`},
		} {
			input := fmt.Sprintf(c.input, secret)
			got := answer(t, p, c.view, input)
			memories := engine.IdleMemory(p)
			if len(memories) == 0 {
				t.Errorf("%s %s (%s): no instance was kept", c.view, input, got)
			}
			for _, mem := range memories {
				if i := firstNonZero(mem); i >= 0 {
					t.Errorf("%s %s (%s): not zero from byte %d on: %.40q", c.view, input, got, i, mem[i:])
				}
			}
			for _, mem := range engine.KeptRequests(p) {
				if bytes.Contains(mem, []byte("hunter2")) {
					t.Errorf("%s %s (%s): a request remembers %.60q", c.view, input, got, mem)
				}
			}
		}
		synctest.Wait()
	})
}

// firstNonZero is about where the first byte stands that is not zero, or -1.
func firstNonZero(mem []byte) int {
	var zeros [4096]byte
	for i := 0; i < len(mem); i += len(zeros) {
		if chunk := mem[i:min(i+len(zeros), len(mem))]; !bytes.Equal(chunk, zeros[:len(chunk)]) {
			return i
		}
	}
	return -1
}

// TestConcurrent has many requests at once, each with its own answer.
func TestConcurrent(t *testing.T) {
	source := engine.SourceFunc(func(ctx context.Context, b *engine.Batch) {
		for i := range b.Len() {
			go b.Answer(i, bytes.TrimSuffix(bytes.TrimPrefix(b.Args(i), []byte("[")), []byte("]")))
		}
	})
	p := load(t, secretView, engine.Options{Source: source, Idle: 4})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				text := fmt.Sprintf("%d-%d", g, i)
				for view, want := range map[string]string{"echo": text + text, "asks": text + text, "asksTwice": text + text} {
					out, err := p.AppendCall(t.Context(), nil, view, fmt.Appendf(nil, `{"text":%q}`, text))
					if err != nil || string(out) != `"`+want+`"` {
						t.Errorf("%s of %s: %s %v", view, text, out, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}
