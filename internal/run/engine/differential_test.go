package engine_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/run/engine"
)

// calling has views that take a list of Ints, and ask, guard, bound and branch
// in all the ways that the language has.
const calling = `
	service S {
		fn get(n: Int) -> Int batch 4
		fn list(n: Int) -> List<Int>
		fn slow(n: Int) -> Int within 15ms
		fn maybe(n: Int) -> Int? batch 2
	}
	view plain(xs: List<Int>) -> Int { all(xs) }
	fn all(xs: List<Int>) -> Int { xs |> map(x => S.get(x)) |> fold(0, (a, b) => a + b) }
	fn oneByOne(xs: List<Int>) -> Int { xs |> fold(0, (a, x) => a + (S.get(a + x) else 1)) }
	view nested(xs: List<Int>) -> Int { xs |> map(x => S.list(x) |> map(y => S.get(y)) |> fold(0, (a, b) => a + b) else -1) |> fold(0, (a, b) => a + b) }
	view chain(xs: List<Int>) -> Int { xs |> fold(0, (a, x) => a + S.get(a + x)) }
	view chainGuarded(xs: List<Int>) -> Int { xs |> fold(0, (a, x) => a + (S.get(a + x) else 1)) }
	view timed(xs: List<Int>) -> List<Int> { xs |> map(x => S.get(x) within 10ms else -1) }
	view timedTwice(xs: List<Int>) -> List<Int> { xs |> map(x => ((S.get(x) within 5ms else S.slow(x)) + S.get(x + 1)) within 20ms else -2) }
	view shedding(xs: List<Int>) -> List<Int> { xs |> map(x => optional S.get(x) within 12ms else -1) }
	view optionalOuter(xs: List<Int>) -> Int { (optional (xs |> map(x => S.get(x)) |> fold(0, (a, b) => a + b)) else 0) + S.get(1) }
	view branches(xs: List<Int>) -> Int { if S.get(1) > 3 { S.get(2) } else { all(xs) } + (if S.get(3) > 2 && S.get(4) > 2 { S.get(5) } else { 0 }) }
	view matches(xs: List<Int>) -> Int {
		match S.maybe(7) {
			Some(n) if S.get(n) > 4 -> S.get(n + 1)
			Some(n) -> n
			None -> S.slow(1)
		}
	}
	view divides(xs: List<Int>) -> Int { xs |> map(x => 10 / S.get(x)) |> fold(0, (a, b) => a + b) }
	view dividesGuarded(xs: List<Int>) -> Int { (10 / S.get(1) + S.get(2)) else 5 }
	view faultAfter(xs: List<Int>) -> Int { S.get(1) + (1 / (xs |> fold(0, (a, b) => a + b))) + S.get(2) }
	view faultInScope(xs: List<Int>) -> Int { (S.get(1) + 1 / 0) within 10ms else 3 }
	view tries(xs: List<Int>) -> Int? { let n = S.maybe(1)?
		let m = (S.maybe(n) within 8ms else None)?
		Some(n + m + S.get(m)) }
	view filters(xs: List<Int>) -> List<Int> { xs |> filter(x => (S.get(x) else 0) > 3) |> map(x => S.get(x + 1) else x) }
	view same(xs: List<Int>) -> Int { S.get(1) + S.get(1) + (S.get(1) within 3ms else 0) }
	view unguarded(xs: List<Int>) -> Int { (S.slow(1) within 5ms) + 1 }
	view dynamic(xs: List<Int>) -> Int { let d = duration.milliseconds(S.get(1))
		S.get(2) within d else -1 }
	view lateView(xs: List<Int>) -> Int within 500ms { all(xs) else oneByOne(xs) }
	view recursive(xs: List<Int>) -> Int { down(list.length(xs) + 2) }
	fn down(n: Int) -> Int { if n <= 0 { 0 } else { (S.get(n) within 10ms else n) + down(n - 1) } }
`

// world answers calls at random times, the same for the same seed and call.
type world struct{ seed uint64 }

func (w world) Ask(ctx context.Context, b *engine.Batch) {
	for i := range b.Len() {
		h := fnv.New64a()
		fmt.Fprint(h, b.Operation.Name, string(b.Args(i)))
		rnd := rand.New(rand.NewPCG(w.seed, h.Sum64()))
		var body string
		switch {
		case b.Operation.Name == "list":
			n := rnd.IntN(4)
			body = "[" + strings.TrimSuffix(strings.Repeat(fmt.Sprint(rnd.IntN(5))+",", n), ",") + "]"
		case b.Operation.Name == "maybe" && rnd.IntN(4) == 0:
			body = "null"
		default:
			body = fmt.Sprint(rnd.IntN(10))
		}
		respond := func() { b.Answer(i, []byte(body)) }
		switch rnd.IntN(8) {
		case 0:
			respond = func() { b.Fail(i, errors.New("down")) }
		case 1:
			respond = func() { b.Answer(i, []byte(`"what"`)) }
		}
		if d := rnd.IntN(30) - 10; d > 0 {
			time.AfterFunc(time.Duration(d)*time.Millisecond, respond)
		} else {
			respond()
		}
	}
}

// recorded gives the interpreter the answers and verdicts of a record.
type recorded struct {
	answers  map[string]*engine.Answer
	verdicts map[[2]uint64]abi.Verdict
}

func newRecorded(rec *engine.Record) *recorded {
	w := &recorded{map[string]*engine.Answer{}, map[[2]uint64]abi.Verdict{}}
	for i := range rec.Answers {
		w.answers[rec.Answers[i].Operation+string(rec.Answers[i].Args)] = &rec.Answers[i]
	}
	for _, v := range rec.Verdicts {
		w.verdicts[[2]uint64{v.Site, v.Path}] = map[bool]abi.Verdict{false: abi.Expired, true: abi.Shed}[v.Shed]
	}
	return w
}

var errUnanswered = errors.New("the record has no answer")

func (w *recorded) Ask(c *interp.Call) (interp.Answer, error) {
	a, ok := w.answers[c.Op.QualifiedName()+string(c.Canonical)]
	switch {
	case !ok:
		return interp.Answer{}, errUnanswered
	case a.Error != "":
		return interp.Answer{}, errors.New(a.Error)
	}
	return interp.Answer{JSON: a.Body}, nil
}

func (w *recorded) Verdict(site core.Site, path uint64, _ int64, _ bool) abi.Verdict {
	return w.verdicts[[2]uint64{uint64(site), path}]
}

// oracle runs a view of the module "shop" with the interpreter.
func oracle(program *core.Program, rec *engine.Record, gas int64) string {
	m := interp.New(program, interp.Options{Now: rec.Now, Seed: rec.Seed, World: newRecorded(rec), Gas: gas})
	for _, mod := range program.Modules {
		for _, f := range mod.Funcs {
			if f.QualifiedName() != rec.View {
				continue
			}
			// The view's one parameter stands in an object.
			text, ok := strings.CutPrefix(string(rec.Input), `{"xs":`)
			if !ok {
				return "no input"
			}
			arg, err := m.DecodeJSON(f.Params[0].Type, []byte(strings.TrimSuffix(text, "}")))
			if err != nil {
				return err.Error()
			}
			v, err := m.Run(f, []interp.Value{arg})
			fault, failed := (*interp.Fault)(nil), (*interp.Failed)(nil)
			switch {
			case errors.As(err, &fault):
				return "fault " + fault.At.String() + " " + fault.Kind.String()
			case errors.As(err, &failed) && failed.Op != nil:
				return "failed " + failed.Op.QualifiedName()
			case err != nil:
				return "failed scope"
			}
			out, err := m.AppendJSON(nil, f.Result, v)
			if err != nil {
				return err.Error()
			}
			return string(out)
		}
	}
	return "no such view"
}

// outcome is what a request came to, in oracle's words.
func outcome(out []byte, err error) string {
	fault, failed := (*engine.Fault)(nil), (*engine.CallError)(nil)
	switch {
	case errors.As(err, &fault):
		return fmt.Sprintf("fault %s:%d:%d %s", fault.File, fault.Line, fault.Col, fault.Kind)
	case errors.As(err, &failed) && failed.Operation != "":
		return "failed " + failed.Operation
	case errors.As(err, &failed):
		return "failed scope"
	case err != nil:
		return err.Error()
	}
	return string(out)
}

// TestAgainstInterpreter answers calls late, wrongly, not at all and in any
// order, sheds scopes, and compares what comes of it with the one strict run
// that the record says it was.
func TestAgainstInterpreter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		program, data := buildProgram(t, calling)
		rnd := rand.New(rand.NewPCG(1, 1))
		outcomes := map[string]int{}
		for seed := range uint64(60) {
			opts := engine.Options{Source: world{seed}, Gas: []int64{0, 300, 60}[min(rnd.IntN(10), 2)]}
			if rnd.IntN(3) == 0 {
				opts.Shed = func(s engine.ScopeInfo) bool { return (s.Path^seed)%3 == 0 }
			}
			p, err := engine.Load(t.Context(), data, opts)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range p.Views() {
				var xs []string
				for range rnd.IntN(5) {
					xs = append(xs, fmt.Sprint(rnd.IntN(6)))
				}
				input := fmt.Sprintf(`{"xs":[%s]}`, strings.Join(xs, ","))
				var rec engine.Record
				got := outcome(v.Do(t.Context(), nil, engine.Request{Input: []byte(input), Record: &rec}))
				outcomes[strings.Fields(got)[0]]++
				if want := oracle(program, &rec, opts.Gas); got != want {
					t.Errorf("seed %d, %s %s: %s, the interpreter: %s\n%+v", seed, v.Meta().Name, input, got, want, rec.Verdicts)
				}
				if again := outcome(p.Replay(t.Context(), nil, &rec)); again != got {
					t.Errorf("seed %d, %s %s: %s, replayed: %s", seed, v.Meta().Name, input, got, again)
				}
			}
			synctest.Wait()
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if outcomes["fault"] < 20 || outcomes["failed"] < 20 || len(outcomes) < 10 {
			t.Errorf("the worlds are too friendly: %v", outcomes)
		}
	})
}
