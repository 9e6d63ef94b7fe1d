package record

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/engine"
)

// Run is what came of a request, as it was recorded or in a replay.
type Run struct {
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"` // "" when there is an output
	// Missing are the calls that a replay asked and the record has no answer to.
	Missing []Call `json:"missing,omitempty"`
	// Gas is what a replay's last pass spent, and Calls how many calls it made.
	Gas   int64 `json:"gas,omitempty"`
	Calls int   `json:"calls,omitempty"`
	// Err is a replay's error: a *engine.Fault and so on.
	Err error `json:"-"`
}

// Call is an operation asked with arguments.
type Call struct {
	Operation string          `json:"operation"` // "market/services.Catalog.offers"
	Args      json.RawMessage `json:"args"`      // canonical
}

// Replayer answers entries again on one program.
type Replayer struct {
	program *engine.Program
	canon   *codec.Canon
}

// NewReplayer makes a Replayer. The program needs no Source.
func NewReplayer(p *engine.Program) (*Replayer, error) {
	c, err := codec.NewCanon(&p.Manifest().Schema, p.Manifest().HeapBase)
	if err != nil {
		return nil, err
	}
	return &Replayer{p, c}, nil
}

// Replay answers an entry again, be it of this program's artifact or of another.
// Its error says that the program has no such view, or is that of ctx; what the
// request itself ends with is in the Run.
func (r *Replayer) Replay(ctx context.Context, e *Entry) (*Run, error) {
	v, err := r.program.View(e.Record.View)
	if err != nil {
		return nil, err
	}
	rec := e.Record
	rec.Answers = r.canonical(rec.Answers)
	var again engine.Record
	out, err := v.Do(ctx, nil, engine.Request{Replay: &rec, AnyArtifact: true, Record: &again})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	run := &Run{Err: err, Gas: again.Gas, Calls: len(again.Answers)}
	if err != nil {
		run.Error = errorText(err)
	} else {
		run.Output = out
	}
	for _, a := range again.Answers {
		if a.Error == engine.ErrNotRecorded.Error() {
			run.Missing = append(run.Missing, Call{a.Operation, a.Args})
		}
	}
	return run, nil
}

// Comparison says whether two runs of a request came to the same.
type Comparison struct {
	// Skipped says why they cannot be compared; "" when they were.
	Skipped string `json:"skipped,omitempty"`
	Same    bool   `json:"same"`
	// Replayed says that Before is a replay, too, else it is what was recorded. With
	// stand-ins for private values a program may come to something else than it did;
	// two replays have the same ones.
	Replayed bool `json:"replayed"`
	Before   Run  `json:"before"`
	After    Run  `json:"after"`
	// Differences are those of the outputs, when both have one.
	Differences []Difference `json:"differences,omitempty"`
	// Missing are the calls that After alone has no answers to. What the program
	// makes of their answers nobody knows, so the runs are not the same.
	Missing []Call `json:"missing,omitempty"`
}

// Compare replays an entry. With own, the program that it was recorded on, and
// against, another, it compares the two; with one of them, the other being nil, it
// compares that with what was recorded. Bounds that are not part of the language
// say nothing of a program: a run that ends at one is skipped.
func Compare(ctx context.Context, e *Entry, own, against *Replayer) (*Comparison, error) {
	c := &Comparison{Before: Run{Output: e.Record.Output, Error: e.Record.Error}, Skipped: e.Incomplete}
	if c.Skipped != "" {
		return c, nil
	}
	to := against
	if to == nil {
		to = own
	} else if own != nil {
		run, err := own.Replay(ctx, e)
		if err != nil {
			return nil, err
		}
		c.Before, c.Replayed = *run, true
	}
	run, err := to.Replay(ctx, e)
	if err != nil {
		return nil, err
	}
	c.After = *run
	if c.Skipped = c.skips(e); c.Skipped != "" {
		return c, nil
	}
	for _, call := range c.After.Missing {
		if !slices.ContainsFunc(c.Before.Missing, func(o Call) bool { return o.Operation == call.Operation && string(o.Args) == string(call.Args) }) {
			c.Missing = append(c.Missing, call)
		}
	}
	if c.Before.Error == "" && c.After.Error == "" {
		m := to.program.Manifest()
		i := slices.IndexFunc(m.Views, func(v artifact.View) bool { return v.QualifiedName() == e.Record.View })
		c.Differences = Diff(c.Before.Output, c.After.Output, &m.Schema, m.Views[i].Result)
	}
	sameError := c.Before.Error == c.After.Error ||
		e.Record.Artifact != to.program.Hash() && placeless(c.Before.Error) == placeless(c.After.Error)
	c.Same = sameError && len(c.Differences) == 0 && len(c.Missing) == 0
	return c, nil
}

// Dearer reports whether After took more work than Before: more calls, or more gas by a fifth,
// and by more than a small program may be off by. Both are replays.
func (c *Comparison) Dearer() bool {
	const some = 1000
	return c.Replayed && (c.After.Calls > c.Before.Calls || c.After.Gas > c.Before.Gas+max(c.Before.Gas/5, some))
}

// skips says why the runs cannot be compared; "" when they can.
func (c *Comparison) skips(e *Entry) string {
	var limit *engine.LimitError
	var input *engine.InputError
	switch {
	case errors.As(c.Before.Err, &limit), errors.As(c.After.Err, &limit):
		return "the replay met a bound: " + limit.Error()
	case c.Replayed:
	case e.Outcome == Limited, e.Outcome == Cancelled, e.Outcome == Expired && !errors.Is(c.After.Err, engine.ErrDeadline):
		return "the request ended for a reason that a replay does not have: " + e.Outcome.String()
	case e.Outcome == Refused && e.Redacted > 0 && !errors.As(c.After.Err, &input):
		return "the private value that was refused has a stand-in"
	}
	return ""
}

var place = regexp.MustCompile(`[\w/.-]+\.tow:\d+:\d+(: )?`)

// placeless is an error without places: another artifact is of other sources.
func placeless(text string) string { return place.ReplaceAllString(text, "") }

// canonical gives answers under their calls' canonical arguments. Those of a
// redacted record may be out of order in their sets and maps, those of another
// artifact may lack a field that has a default, and those in a file may have been
// laid out for people. Arguments that do not fit the program's types stay as they
// are: no call has them.
func (r *Replayer) canonical(in []engine.Answer) []engine.Answer {
	operations := r.program.Manifest().Operations
	out := slices.Clone(in)
	for i := range out {
		a := &out[i]
		at := slices.IndexFunc(operations, func(op artifact.Operation) bool { return op.QualifiedName() == a.Operation })
		var parts []json.RawMessage
		if at < 0 || json.Unmarshal(a.Args, &parts) != nil {
			continue
		}
		if args, err := r.canon.Args(operations[at].Args, parts); err == nil {
			a.Args = args
		}
	}
	return out
}
