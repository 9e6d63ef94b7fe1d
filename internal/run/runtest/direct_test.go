package runtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "the first seed of property tests")
	seedsFlag = flag.Int("seeds", 60, "how many seeds property tests take")
)

// generator writes views that ask, nest scopes and branch on what they are told.
type generator struct {
	*rand.Rand
	locals []string
}

func (g *generator) pick(texts ...string) string { return texts[g.IntN(len(texts))] }

// expr is an Int. Arguments come from few, so that calls are wanted more than once.
func (g *generator) expr(depth int) string {
	if depth == 0 {
		switch g.IntN(4) {
		case 0:
			return fmt.Sprint(g.IntN(4))
		case 1:
			return g.pick(g.locals...)
		}
		return g.call(fmt.Sprint(g.IntN(4)))
	}
	sub := func() string { return g.expr(depth - 1) }
	switch g.IntN(9) {
	case 0, 1:
		return "(" + sub() + " + " + sub() + ")"
	case 2:
		return g.call("few(" + sub() + ")")
	case 3, 4:
		return "(" + g.pick("", "optional ") + sub() + fmt.Sprintf(" within %dms", 1+g.IntN(30)) + " else " + sub() + ")"
	case 5:
		return "(" + sub() + " else " + sub() + ")"
	case 6:
		return "(if " + sub() + " > " + fmt.Sprint(g.IntN(8)) + " { " + sub() + " } else { " + sub() + " })"
	case 7:
		name := fmt.Sprint("v", len(g.locals))
		bound := sub()
		g.locals = append(g.locals, name)
		defer func() { g.locals = g.locals[:len(g.locals)-1] }()
		return "({ let " + name + " = " + bound + "\n" + g.expr(depth-1) + " })"
	}
	name := fmt.Sprint("v", len(g.locals))
	g.locals = append(g.locals, name)
	defer func() { g.locals = g.locals[:len(g.locals)-1] }()
	return fmt.Sprintf("(list.range(0, %d) |> map(%s => %s) |> fold(0, (a, b) => a + b))", 1+g.IntN(3), name, g.expr(depth-1))
}

func (g *generator) call(arg string) string {
	return "S." + g.pick("get", "get", "soon", "late", "many", "whole") + "(" + arg + ")"
}

// program has views of all sorts over a service; many and whole answer batches.
func (g *generator) program(views int) string {
	var b strings.Builder
	b.WriteString(`
	service S {
		fn get(n: Int) -> Int
		fn soon(n: Int) -> Int within 7ms
		fn late(n: Int) -> Int within 25ms
		fn many(n: Int) -> Int batch 3 within 20ms
		fn whole(n: Int) -> Int batch 3
	}
	fn few(n: Int) -> Int { if n > 8 { 2 } else { if n > 3 { 1 } else { n } } }
`)
	for i := range views {
		g.locals = []string{"n"}
		within := ""
		if g.IntN(3) == 0 {
			within = fmt.Sprintf(" within %dms", 5+g.IntN(50))
		}
		fmt.Fprintf(&b, "\tview v%d(n: Int) -> Int%s { %s }\n", i, within, g.expr(4))
	}
	return b.String()
}

// far is a far end whose answers and their times follow from a seed and the call
// alone. Times are odd enough that no two things are due at once.
type far struct {
	seed   uint64
	direct int // batches that were asked directly
	calls  int

	mu sync.Mutex
}

// fate is what becomes of a call.
type fate struct {
	after time.Duration
	body  string
	err   error
	late  bool // it goes on for a while when its time is up, and answers all the same
	never bool
	again bool // it is answered twice
}

var errDown = errors.New("down")

func (f *far) fate(op, args string) fate {
	h := fnv.New64a()
	fmt.Fprint(h, op, args)
	rnd := rand.New(rand.NewPCG(f.seed, h.Sum64()))
	x := fate{after: time.Duration(rnd.Int64N(int64(30 * time.Millisecond))), body: fmt.Sprint(rnd.IntN(10))}
	if rnd.IntN(5) == 0 {
		x.after = 0
	}
	switch rnd.IntN(10) {
	case 0:
		x.err = errDown
	case 1:
		x.body = `"what"`
	case 2:
		x.never, x.after = true, 1
	case 3:
		x.late = true
	case 4:
		x.again = true
	}
	if op == "whole" { // its batches are answered at once
		x.after, x.never, x.late = 3_141_593*time.Nanosecond, false, false
	}
	return x
}

// answer answers a call when it is due, or fails it when nobody waits any more.
func (f *far) answer(ctx context.Context, b *engine.Batch, i int) {
	x := f.fate(b.Operation.Name, string(b.Args(i)))
	var due <-chan time.Time
	switch {
	case x.never:
	case x.after == 0:
		f.end(b, i, x)
		return
	default:
		timer := time.NewTimer(x.after)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		f.end(b, i, x)
	case <-ctx.Done():
		if x.late {
			time.Sleep(time.Nanosecond)
			f.end(b, i, x)
			return
		}
		b.Fail(i, ctx.Err())
	}
}

func (f *far) end(b *engine.Batch, i int, x fate) {
	if x.err != nil {
		b.Fail(i, x.err)
	} else {
		b.Answer(i, []byte(x.body))
	}
	if x.again {
		b.Fail(i, errDown)
		b.Answer(i, []byte("1000"))
	}
}

// Ask answers from other goroutines, or at once.
func (f *far) Ask(ctx context.Context, b *engine.Batch) {
	f.mu.Lock()
	f.calls += b.Len()
	f.mu.Unlock()
	// Nothing may come between the answers to a whole batch.
	if b.Operation.Name == "whole" {
		time.AfterFunc(f.fate("whole", "").after, func() {
			for i := range b.Len() {
				f.end(b, i, f.fate("whole", string(b.Args(i))))
			}
		})
		return
	}
	for i := range b.Len() {
		if f.fate(b.Operation.Name, string(b.Args(i))).after == 0 {
			f.answer(ctx, b, i)
			continue
		}
		go f.answer(ctx, b, i)
	}
}

// near is the same, asked in the request's goroutine where that makes no difference.
type near struct{ *far }

func (f near) AskHere(ctx context.Context, b *engine.Batch) bool {
	if b.Len() > 1 && b.Operation.Name != "whole" {
		return false
	}
	f.direct++ // a request at a time
	f.calls += b.Len()
	if b.Operation.Name != "whole" {
		f.answer(ctx, b, 0)
		return true
	}
	timer := time.NewTimer(f.fate("whole", "").after)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	for i := range b.Len() {
		if err != nil {
			b.Fail(i, err)
			continue
		}
		f.end(b, i, f.fate("whole", string(b.Args(i))))
	}
	return true
}

// outcome is what a request came to: its answer or error, its verdicts, and when.
func outcome(t *testing.T, p *engine.Program, v *engine.View, source engine.Source, n int, leave, deadline time.Duration) (came string, took time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begin := time.Now()
	var rec engine.Record
	q := engine.Request{Input: fmt.Appendf(nil, `{"n":%d}`, n), Source: source, Record: &rec}
	if leave > 0 {
		stop := time.AfterFunc(leave, cancel)
		defer stop.Stop()
	}
	if deadline > 0 {
		q.Deadline = begin.Add(deadline)
	}
	out, err := v.Do(ctx, nil, q)
	took = time.Since(begin)
	var verdicts []string
	for _, v := range rec.Verdicts {
		verdicts = append(verdicts, fmt.Sprintf("%x/%x", v.Site, v.Path))
	}
	slices.Sort(verdicts)
	if ctx.Err() == nil {
		again, errAgain := p.Replay(t.Context(), nil, &rec)
		if string(again) != string(out) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Errorf("%s: %s %v, replayed: %s %v", v.Meta().Name, out, err, again, errAgain)
		}
	}
	return fmt.Sprintf("%s %v, expired: %v", out, err, verdicts), took
}

// TestDirectIsNoOther answers the same requests from a source that is asked in the
// request's goroutine and from one that is not: there is no telling them apart.
func TestDirectIsNoOther(t *testing.T) {
	t.Logf("seeds from %d on", *seedFlag)
	direct, calls, kinds := 0, 0, map[string]int{}
	for seed := *seedFlag; seed < *seedFlag+uint64(*seedsFlag); seed++ {
		synctest.Test(t, func(t *testing.T) {
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
			text := g.program(6)
			opts := engine.Options{Idle: 1 + g.IntN(3)}
			p, err := engine.Load(t.Context(), build(t, text), opts)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close(context.Background())
			defer time.Sleep(time.Second) // what was given up ends
			for _, v := range p.Views() {
				for n := range 3 {
					var leave, deadline time.Duration
					if g.IntN(4) == 0 {
						leave = time.Duration(g.Int64N(int64(40 * time.Millisecond)))
					}
					// Something ends each request, though services may never answer.
					deadline = 100 * time.Millisecond
					if g.IntN(3) == 0 {
						deadline = time.Duration(g.Int64N(int64(40 * time.Millisecond)))
					}
					world := seed*100 + uint64(n)
					apart, here := &far{seed: world}, near{&far{seed: world}}
					want, slow := outcome(t, p, v, apart, n, leave, deadline)
					synctest.Wait()
					got, took := outcome(t, p, v, here, n, leave, deadline)
					synctest.Wait()
					if got != want || (took-slow).Abs() > time.Microsecond { // late answers are late by less
						t.Errorf("seed %d, %s(%d), client leaves after %s, deadline %s:\nhere:  %s after %s\napart: %s after %s\n%s", seed, v.Meta().Name, n, leave, deadline, got, took, want, slow, text)
					}
					direct += here.direct
					calls += here.calls
					_, after, _ := strings.Cut(got, " ")
					kinds[strings.Join(strings.Fields(after)[:min(3, len(strings.Fields(after)))], " ")]++
					if strings.HasSuffix(got, "[]") {
						kinds["no verdict"]++
					}
				}
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d calls, %d batches asked directly; %d kinds of ends", calls, direct, len(kinds))
	if *seedsFlag >= 60 && (direct < 300 || len(kinds) < 50) {
		t.Errorf("the programs are too dull: %d direct batches, %v", direct, kinds)
	}
}
