// Package opt makes IR faster.
//
// A module is optimised function by function, callees first, each by the passes
// in the table of this file, in its order:
//
//	normal   effects stand at the root of a statement
//	inline   callees' bodies in place of their calls
//	number   values that are known, or computed already, are not computed again
//	dead     what nothing reads goes
//	hoist    what is the same in every round moves out of the loop
//	recur    a small function that calls itself does the work of several entries
//	late     what is used once is computed where it is used
//	nest     a conditional goes into the one before it whose answer it tests
//	compact  locals that are left are numbered anew
//
// and at last functions, imports and globals that nothing reaches are dropped.
//
// The engine that runs the code (wazero's compiler) allocates registers, removes
// dead code and lays out blocks; it does not inline, number values, move code out
// of loops or forward what was stored, so that is done here.
//
// No call that is not pure, fault, charge of gas, or store that anything could
// load is removed or reordered, nor is a condition under which one happens
// changed. The one fault that may go is running out of memory.
package opt

import (
	"towpath.dev/internal/lang/ir"
)

// Level says how much is done.
type Level int

// The levels.
const (
	None Level = iota // nothing; for tests and for looking at what lowering made
	Full
)

// Module optimises the module in place. It must pass ir.Verify, and does so
// afterwards.
func Module(m *ir.Module, level Level) {
	if level == None {
		return
	}
	c := newContext(m)
	for _, f := range c.order {
		if c.calls[f].waits(f) {
			c.leave(f)
		} else {
			c.optimise(f)
		}
	}
	prune(m)
	for _, f := range m.Funcs { // what waited, and was not copied after all
		if c.calls[f].deferred {
			c.optimise(f)
		}
	}
	prune(m)
}

// pass is a step that rewrites one function.
type pass struct {
	name  string
	after []string // the passes that must have run before
	run   func(*context, *ir.Func)
	again bool // skipped unless a pass since the last of its name asked for another round
}

// passes are run in this order. A name may stand more than once.
var passes = []pass{
	{name: "normal", run: normalPass},
	{name: "inline", after: []string{"normal"}, run: inlinePass},
	{name: "number", after: []string{"normal"}, run: numberPass},
	{name: "dead", after: []string{"normal"}, run: deadPass},
	{name: "recur", after: []string{"number", "dead"}, run: recurPass},
	{name: "number", after: []string{"normal"}, run: numberPass, again: true},
	{name: "dead", after: []string{"normal"}, run: deadPass, again: true},
	{name: "recur", after: []string{"number", "dead"}, run: recurPass},
	{name: "number", after: []string{"normal"}, run: numberPass, again: true},
	{name: "dead", after: []string{"normal"}, run: deadPass, again: true},
	{name: "hoist", after: []string{"number"}, run: hoistPass},
	{name: "late", after: []string{"number"}, run: latePass},
	{name: "nest", after: []string{"late"}, run: nestPass},
	{name: "compact", after: []string{"dead"}, run: compactPass},
}

// context is what passes share over a module, and memory that they use again.
type context struct {
	module   *ir.Module
	calls    callGraph
	order    []*ir.Func // callees before callers
	nodes    nodes
	numberer numberer
	remover  remover
	changed  bool // by a pass that leaves work to those before it
	owned    bool // each expression of the function at hand stands in one place
	globals  map[*ir.Global]uint64
}

func newContext(m *ir.Module) *context {
	c := &context{module: m, globals: map[*ir.Global]uint64{}}
	for i, g := range m.Globals {
		c.globals[g] = uint64(i)
	}
	c.calls = graph(m)
	c.order = c.calls.order(m)
	return c
}

func (c *context) optimise(f *ir.Func) {
	asked := map[string]bool{}
	for _, p := range passes {
		if p.again && !asked[p.name] {
			continue
		}
		c.changed = false
		p.run(c, f)
		delete(asked, p.name)
		if c.changed {
			asked["number"], asked["dead"] = true, true
		}
	}
}

// leave leaves a function to its one caller.
func (c *context) leave(f *ir.Func) {
	normalPass(c, f)
	g := c.calls[f]
	g.deferred, g.done = true, true
	g.size, g.unset = sizeOf(f.Body), unset(f)
}

// globalNumber numbers the globals of the module.
func (c *context) globalNumber(g *ir.Global) uint64 { return c.globals[g] }
