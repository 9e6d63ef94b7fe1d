// Package progen generates Tow programs that check without errors, with inputs
// for their views and a world that answers their calls: the raw material for
// running one program on two machines and comparing.
//
// A program is text, so that scanner, parser, checker and formatter are
// exercised with it. Generation is directed by types: [Generate] declares types,
// services and functions, and fills every body by choosing among all that gives
// a value of the type needed there, within a budget of size. It leans towards
// what goes wrong: numbers near their limits, zero divisors, mixed currencies,
// recursion without an end, small limits of gas and depth.
//
// All choices come from a seed: equal seeds give equal programs, inputs and
// answers.
//
//	p := progen.Generate(seed)
//	res, err := compile.Check(files(p.Files()), compile.Options{})
//	input := progen.Input(res.Program, view, seed)
//
// [Program.Reduce] makes a program that shows a problem small.
package progen

import (
	"fmt"
	"math/rand/v2"

	"towpath.dev/internal/lang/core"
)

// Generate makes the program of a seed.
func Generate(seed uint64) *Program {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x746f77)), std: std(), asking: map[string]bool{}, unsteady: map[string]bool{},
		program: &Program{Seed: seed, Gas: 40_000, Depth: 100},
	}
	g.edge = pick(g, 5, 20, 20, 50)
	switch {
	case g.chance(35): // most runs spend little
		g.program.Gas = 1 + g.Int64N(1<<(2+g.IntN(12)))
	case g.chance(5):
		g.program.Gas = 1_000_000
	}
	switch {
	case g.chance(15):
		g.program.Depth = 1 + g.IntN(20)
	case g.chance(5):
		g.program.Depth = 10_000
	}
	g.modules()
	g.declareTypes()
	g.declareConsts()
	g.declareServices()
	g.declareFunctions()
	g.declareLateConsts()
	g.declareViews()
	for _, m := range g.program.modules {
		g.Shuffle(len(m.decls), func(i, j int) { m.decls[i], m.decls[j] = m.decls[j], m.decls[i] })
	}
	return g.program
}

// generator is a program under construction.
type generator struct {
	*rand.Rand
	std     *library
	program *Program

	lib, main *module // main imports lib; they may be the same
	names     int
	groups    int

	edge      int         // of a hundred literals, so many are near a limit
	types     []core.Type // closed types that are used again and again
	generic   []*core.TypeDef
	plain     []*core.TypeDef
	consts    []*core.Const
	ops       []*core.Operation
	functions []*function
	at        *module         // the one that is being written
	asking    map[string]bool // the services, and the functions that may ask
	unsteady  map[string]bool // the functions that ask, or depend on the clock or the seed
	depth     int             // of expressions within one another
}

// function is one of the program's own, with what calls of it need to know.
type function struct {
	*core.Func
	fuel bool // its first parameter counts down to the end of the recursion
	loop bool // it is a loop in tail position, so that it may count far
}

// chance is true n times of a hundred.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

// pick chooses one of the choices.
func pick[T any](g *generator, choices ...T) T { return choices[g.IntN(len(choices))] }

// fresh makes a name that nothing else has.
func (g *generator) fresh(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

// group makes a number for parts that can be left out together.
func (g *generator) group(n int) int {
	first := g.groups + 1
	g.groups += n
	return first
}

func (g *generator) modules() {
	g.main = &module{core: &core.Module{Path: "main"}, members: map[*core.Module]bool{}}
	g.lib = g.main
	g.program.modules = []*module{g.main}
	if g.chance(60) {
		g.lib = &module{core: &core.Module{Path: pick(g, "kit", "shared/kit")}}
		g.main.members[g.lib.core] = g.chance(50)
		g.main.alias = pick(g, "", "", "k")
		g.program.modules = []*module{g.lib, g.main}
	}
}

// declare adds a declaration to a module.
func (g *generator) declare(m *module, items ...any) {
	m.decls = append(m.decls, g.make(nil, tight, items...))
}

// pub is the `pub` that what other modules use needs.
func (g *generator) pub(m *module) string {
	if m == g.lib && g.lib != g.main || g.chance(20) {
		return "pub "
	}
	return ""
}
