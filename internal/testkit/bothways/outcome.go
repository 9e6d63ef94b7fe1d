package bothways

import (
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/run/engine"
)

// How a run can end.
const (
	Answered   = "answer"
	Faulted    = "fault"
	Failed     = "failed"
	Refused    = "input refused"
	Limited    = "limit" // by a bound that is not part of the language
	Unforeseen = "unforeseen"
)

// Outcome is how a run ended.
type Outcome struct {
	Kind string
	Text string // the answer; the fault's kind; the call or the scope that failed
	At   string // of a fault or a scope: "main.tow:3:9"; "" when not known
	Gas  int64
}

func (o Outcome) String() string {
	return fmt.Sprintf("%s %s %s, %d gas", o.Kind, o.Text, o.At, o.Gas)
}

// Inconclusive reports whether a run met a bound that only its machine has.
func (o Outcome) Inconclusive() bool {
	return o.Kind == Limited || o.Kind == Faulted && o.Text == abi.OutOfMemory.String()
}

// Agrees reports whether two runs of one request may both be right.
func (o Outcome) Agrees(other Outcome) bool {
	if o.Inconclusive() || other.Inconclusive() {
		return true
	}
	if o.Kind == Refused {
		return other.Kind == Refused
	}
	return o == other && o.Kind != Unforeseen
}

func place(at span.Span) string {
	if !at.IsValid() {
		return ""
	}
	return at.String()
}

// ofInterp tells how a run of the interpreter ended; w is the world it ran in.
func ofInterp(m *interp.Machine, view *core.Func, v interp.Value, err error, w *world) Outcome {
	o := Outcome{Gas: m.GasUsed()}
	var fault *interp.Fault
	var failed *interp.Failed
	switch {
	case err == nil:
		text, err := m.AppendJSON(nil, view.Result, v)
		if err != nil {
			o.Kind, o.Text, o.At = Faulted, abi.BadArgument.String(), place(view.At)
			break
		}
		o.Kind, o.Text = Answered, string(text)
	case errors.As(err, &fault):
		o.Kind, o.Text, o.At = Faulted, fault.Kind.String(), place(fault.At)
	case errors.As(err, &failed) && failed.Op != nil:
		o.Kind, o.Text = Failed, failed.Op.QualifiedName()+w.last[failed.At]
	case errors.As(err, &failed):
		o.Kind, o.Text, o.At = Failed, "scope", place(failed.At)
	default:
		o.Kind, o.Text = Unforeseen, err.Error()
	}
	return o
}

// ofEngine tells how a run of the engine ended.
func ofEngine(answer []byte, err error, gas int64) Outcome {
	o := Outcome{Gas: gas}
	var fault *engine.Fault
	var failed *engine.CallError
	var input *engine.InputError
	var limit *engine.LimitError
	switch {
	case err == nil:
		o.Kind, o.Text = Answered, string(answer)
	case errors.As(err, &fault):
		o.Kind, o.Text = Faulted, fault.Kind.String()
		if fault.File != "" {
			o.At = fmt.Sprintf("%s:%d:%d", fault.File, fault.Line, fault.Col)
		}
	case errors.As(err, &input):
		o.Kind, o.Text = Refused, err.Error()
	case errors.As(err, &limit), errors.Is(err, engine.ErrDeadline):
		o.Kind, o.Text = Limited, err.Error()
	case errors.As(err, &failed) && failed.Operation != "":
		o.Kind, o.Text = Failed, failed.Operation+failed.Args
	case errors.As(err, &failed) && failed.File != "":
		o.Kind, o.Text, o.At = Failed, "scope", fmt.Sprintf("%s:%d:%d", failed.File, failed.Line, failed.Col)
	default:
		o.Kind, o.Text = Unforeseen, err.Error()
	}
	return o
}
