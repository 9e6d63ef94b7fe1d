// Package interp runs the checked tree: the oracle that says what a Tow program
// means.
//
// A [Machine] makes one strict left-to-right run in which every call's answer
// and every scope's verdict is given, by a [World]. There is nothing pending
// here and no second pass: the compiled program, which asks first and learns
// later, must end with the same answer, fault or failure as this run, and spend
// the same gas and depth. The code therefore prefers to be plainly right.
//
// A run ends with a [Value], with a [*Fault] (the program did what it may not,
// such as dividing by zero), or with a [*Failed] (a call that nothing guarded
// had no answer).
//
//	m := interp.New(program, interp.Options{Now: now, World: answers})
//	input, err := m.DecodeJSON(view.Params[0].Type, body)
//	value, err := m.Run(view, []interp.Value{input})
//	text, err := m.AppendJSON(nil, view.Result, value)
//
// The contract with the compiler (paths, gas, depth, the place of a fault) is
// docs/design/0001-tow-from-text-to-answers.md.
package interp

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// The limits of a run whose Options name none.
const (
	DefaultGas   = 50_000_000
	DefaultDepth = 10_000
)

// Options say how a Machine runs. The zero value works for programs that call
// no service.
type Options struct {
	Gas   int64 // what a run may spend; 0 is DefaultGas
	Depth int   // how many entries of recursive functions may nest; 0 is DefaultDepth
	Now   int64 // the request's instant, nanoseconds since the Unix epoch
	Seed  int64 // the request's seed
	World World // nil: every scope is live and every call fails

	// Coverage hears of every expression before it is evaluated; nil: nobody does.
	Coverage func(at span.Span)
	// Debug hears what `debug(x)` prints, in Tow's notation; nil: nobody does.
	Debug func(at span.Span, text string)
}

// Machine runs one program. It is not safe for concurrent use.
type Machine struct {
	opts       Options
	program    *core.Program
	kinds      map[*core.TypeDef]abi.Kind // of the types that the language knows
	intrinsics map[string]intrinsic

	// The shapes of types that were compared, and what finds them.
	shapes      map[core.Type]*shape
	shapesByKey map[string]*shape
	defs        map[*core.TypeDef]int // numbers, for keys
	asking      map[core.Expr]*asking // what is known of scopes' and lambdas' bodies

	// The state of the run, which Reset starts afresh.
	gas    int64 // what is left
	depth  int   // entries of recursive functions that have not ended
	consts map[*core.Const]Value
	scopes []ScopeRef // the live scopes around what is being evaluated
}

// New makes a Machine for a program that was checked without errors.
func New(p *core.Program, opts Options) *Machine {
	if opts.Gas == 0 {
		opts.Gas = DefaultGas
	}
	if opts.Depth == 0 {
		opts.Depth = DefaultDepth
	}
	m := &Machine{
		opts: opts, program: p, intrinsics: intrinsics(),
		shapes: map[core.Type]*shape{}, shapesByKey: map[string]*shape{},
		defs: map[*core.TypeDef]int{}, asking: map[core.Expr]*asking{},
	}
	std := &p.Std
	m.kinds = map[*core.TypeDef]abi.Kind{
		std.Bool: abi.Bool, std.Int: abi.Int, std.Float: abi.Float, std.Decimal: abi.Decimal,
		std.Money: abi.Money, std.String: abi.String, std.Duration: abi.Duration,
		std.Instant: abi.Instant, std.Date: abi.Date, std.Json: abi.Json,
		std.List: abi.List, std.Map: abi.Map, std.Set: abi.Set, std.Option: abi.Option,
	}
	delete(m.kinds, nil) // types that a program built by hand does without
	m.Reset()
	return m
}

// Reset starts a fresh run: all gas and depth, no constant evaluated.
func (m *Machine) Reset() {
	m.gas = m.opts.Gas
	m.depth = 0
	m.consts = map[*core.Const]Value{}
	m.scopes = m.scopes[:0]
}

// Run makes a fresh run of a function or view without type parameters and
// function-typed parameters, one argument a parameter. The error is a *Fault
// or a *Failed.
func (m *Machine) Run(f *core.Func, args []Value) (Value, error) {
	m.Reset()
	v, err := m.enter(&callee{fn: f}, args, 0, f.At)
	if fault, ok := err.(*Fault); ok {
		fault.Stack = fault.Stack[:len(fault.Stack)-1] // nothing of the program called f
		for i, p := range f.Params {
			fault.Inputs = append(fault.Inputs, Input{Name: p.Name, Type: p.Type, Value: args[i]})
		}
	}
	return v, err
}

// GasUsed is what the run has spent so far.
func (m *Machine) GasUsed() int64 { return m.opts.Gas - m.gas }

// charge takes n from the gas; when too little is left, the fault is at at.
func (m *Machine) charge(n int64, at span.Span) error {
	m.gas -= n
	if m.gas < 0 {
		return &Fault{Kind: abi.OutOfGas, At: at}
	}
	return nil
}

// kind tells what kind of type a definition makes.
func (m *Machine) kind(def *core.TypeDef) abi.Kind {
	if k, ok := m.kinds[def]; ok {
		return k
	}
	switch def.Kind {
	case core.Record:
		return abi.Record
	case core.Wrapper:
		return abi.Wrapper
	case core.Variant:
		for _, c := range def.Ctors {
			if len(c.Fields) > 0 {
				return abi.Variant
			}
		}
		return abi.Enum
	}
	return 0
}
