// Package record keeps whole requests on disk, so that any of them can be
// answered again: on the artifact that answered it, to see what happened, or on
// another, to see what that would change.
//
//	ring, err := record.Open(".tow/records", record.Options{Sample: 0.01})
//	redactor := record.NewRedactor(manifest, ring.Key())
//	if ring.Sample(id) {
//		var rec engine.Record
//		_, err := view.Do(ctx, nil, engine.Request{Input: input, Record: &rec})
//		e := &record.Entry{ID: id, Program: "shop", Begin: begin, Took: took, Record: rec}
//		redactor.Redact(e, err)
//		ring.Put(e)
//	}
//	...
//	e, err := ring.Get(id)
//	compared := record.Compare(ctx, e, old, new)
//
// Words used throughout:
//
//   - an entry is a request and what came of it;
//   - a ring is a folder of segments, of which the oldest goes when there is too
//     much; a segment is a file that entries are appended to;
//   - a frame is an entry as it lies in a segment, with its length and checksum;
//   - a stand-in is what a redacted entry holds in the place of a private value.
//
// What may be lost: Put never waits, so an entry is dropped when the queue to the
// disk is full, and the newest is the one that goes; when it is larger than a
// segment; and while the disk does not take it. Each drop is counted by its reason.
// What is in the queue is lost when the process is killed, which is milliseconds of
// requests; what is written but not yet synced, a second's unless Options say
// otherwise, is lost when the machine goes down. Damage to a segment loses the
// entries that it hits.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"towpath.dev/internal/run/engine"
)

// Entry is a request and what came of it.
type Entry struct {
	ID      string        `json:"id"`
	Program string        `json:"program"`
	Begin   time.Time     `json:"begin"`
	Took    time.Duration `json:"tookNs"`
	Outcome Outcome       `json:"outcome"`
	// Criticality and Caller are what the request said of itself; "" when it did not.
	Criticality string `json:"criticality,omitempty"`
	Caller      string `json:"caller,omitempty"`
	// Redacted is how many private values have stand-ins.
	Redacted int `json:"redacted,omitempty"`
	// Incomplete says what of the request is not here; "" when all of it is.
	Incomplete string `json:"incomplete,omitempty"`
	// Trace is what the request did when, in a form of whoever put it here.
	Trace  json.RawMessage `json:"trace,omitempty"`
	Record engine.Record   `json:"record"`
}

// Outcome is how a request ended.
type Outcome uint8

// The outcomes.
const (
	Answered   Outcome = iota + 1
	Refused            // its input was not what the view takes
	Faulted            // the program did what it may not
	CallFailed         // a call, or a scope, that nothing guards had no answer
	Limited            // it met a bound that is not part of the language
	Expired            // its time, or the view's, went by
	Cancelled          // nobody wanted the answer any more
)

var outcomes = [...]string{"", "answered", "refused", "fault", "call failed", "limit", "deadline", "cancelled"}

func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "?"
}

// ParseOutcome is the outcome of a name that String gives.
func ParseOutcome(name string) (Outcome, error) {
	for i, n := range outcomes {
		if n == name && n != "" {
			return Outcome(i), nil
		}
	}
	return 0, fmt.Errorf("there is no outcome %q; there are %q", name, outcomes[1:])
}

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. A name that a later version
// may have is no outcome, not an error.
func (o *Outcome) UnmarshalText(text []byte) error {
	*o, _ = ParseOutcome(string(text))
	return nil
}

// OutcomeOf is the outcome of a request that ended with an error of the engine's,
// or with none.
func OutcomeOf(err error) Outcome {
	var input *engine.InputError
	var call *engine.CallError
	var limit *engine.LimitError
	switch {
	case err == nil:
		return Answered
	case errors.Is(err, engine.ErrDeadline), errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &call):
		return Expired
	case errors.Is(err, context.Canceled) && !errors.As(err, &call):
		return Cancelled
	case errors.As(err, &input):
		return Refused
	case errors.As(err, &call):
		return CallFailed
	case errors.As(err, &limit):
		return Limited
	}
	return Faulted
}
