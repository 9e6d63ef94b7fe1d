package types

import (
	"strings"

	"towpath.dev/internal/lang/core"
)

// builtins are the standard library's types that the checker itself builds and
// compares with, nullary ones applied once.
type builtins struct {
	core.Std
	boolT, intT, floatT, decimalT, moneyT, stringT core.Type
	durationT, instantT, dateT, jsonT              core.Type
	unitT                                          core.Type
	none, some, ok, err                            *core.Ctor
	standIns                                       map[string]*core.TypeDef
}

// wellKnown are the types that the language cannot do without. Where the
// sources lack one, a stand-in keeps the checker going.
var wellKnown = []struct {
	name, module string
	params       []string
	slot         func(*core.Std) **core.TypeDef
}{
	{"Bool", "bool", nil, func(s *core.Std) **core.TypeDef { return &s.Bool }},
	{"Int", "int", nil, func(s *core.Std) **core.TypeDef { return &s.Int }},
	{"Float", "float", nil, func(s *core.Std) **core.TypeDef { return &s.Float }},
	{"Decimal", "decimal", nil, func(s *core.Std) **core.TypeDef { return &s.Decimal }},
	{"Money", "money", nil, func(s *core.Std) **core.TypeDef { return &s.Money }},
	{"String", "string", nil, func(s *core.Std) **core.TypeDef { return &s.String }},
	{"Duration", "duration", nil, func(s *core.Std) **core.TypeDef { return &s.Duration }},
	{"Instant", "instant", nil, func(s *core.Std) **core.TypeDef { return &s.Instant }},
	{"Date", "date", nil, func(s *core.Std) **core.TypeDef { return &s.Date }},
	{"Json", "json", nil, func(s *core.Std) **core.TypeDef { return &s.Json }},
	{"List", "list", []string{"T"}, func(s *core.Std) **core.TypeDef { return &s.List }},
	{"Map", "map", []string{"K", "V"}, func(s *core.Std) **core.TypeDef { return &s.Map }},
	{"Set", "set", []string{"T"}, func(s *core.Std) **core.TypeDef { return &s.Set }},
	{"Option", "option", []string{"T"}, func(s *core.Std) **core.TypeDef { return &s.Option }},
	{"Result", "result", []string{"T", "E"}, func(s *core.Std) **core.TypeDef { return &s.Result }},
	{"Order", "order", nil, func(s *core.Std) **core.TypeDef { return &s.Order }},
	{"Rounding", "decimal", nil, func(s *core.Std) **core.TypeDef { return &s.Round }},
}

// bindStd finds the standard library's types and puts its public types, their
// constructors and its modules' names in scope everywhere.
func (c *checker) bindStd() {
	for _, m := range c.modules {
		if !m.std {
			continue
		}
		c.stdModules[m.name()] = m
		for name, s := range m.types {
			if s.pub {
				c.stdTypes[name] = s
			}
		}
		for name, s := range m.values {
			if ctor, ok := s.def.(*core.Ctor); ok && s.pub && ctor.Def.Kind != core.Record {
				c.stdValues[name] = s
			}
		}
	}
	for _, w := range wellKnown {
		slot := w.slot(&c.prog.Std)
		if s := c.stdTypes[w.name]; s != nil && len(s.def.(*core.TypeDef).Params) == len(w.params) {
			*slot = s.def.(*core.TypeDef)
		} else {
			*slot = standIn(w.name, w.module, w.params)
		}
	}
	c.std.bind(c.prog.Std)
}

// standIn makes a type that the sources do not declare.
func standIn(name, module string, params []string) *core.TypeDef {
	def := &core.TypeDef{Module: &core.Module{Path: "std/" + module}, Name: name, Pub: true}
	for _, p := range params {
		def.Params = append(def.Params, &core.Param{Name: p})
	}
	ctor := func(name string, fields ...*core.Field) {
		def.Kind = core.Variant
		def.Ctors = append(def.Ctors, &core.Ctor{Def: def, Name: name, JSON: name, Tag: len(def.Ctors), Fields: fields})
	}
	switch name {
	case "Option":
		ctor("None")
		ctor("Some", &core.Field{Name: "value", JSON: "value", Type: def.Params[0]})
	case "Result":
		ctor("Ok", &core.Field{Name: "value", JSON: "value", Type: def.Params[0]})
		ctor("Err", &core.Field{Name: "error", JSON: "error", Type: def.Params[1]})
	}
	return def
}

func (b *builtins) bind(std core.Std) {
	b.Std = std
	for _, t := range []struct {
		to  *core.Type
		def *core.TypeDef
	}{
		{&b.boolT, std.Bool}, {&b.intT, std.Int}, {&b.floatT, std.Float}, {&b.decimalT, std.Decimal},
		{&b.moneyT, std.Money}, {&b.stringT, std.String}, {&b.durationT, std.Duration},
		{&b.instantT, std.Instant}, {&b.dateT, std.Date}, {&b.jsonT, std.Json},
	} {
		*t.to = &core.Con{Def: t.def}
	}
	b.unitT = &core.Tuple{}
	b.none, b.some = ctorNamed(std.Option, "None"), ctorNamed(std.Option, "Some")
	b.ok, b.err = ctorNamed(std.Result, "Ok"), ctorNamed(std.Result, "Err")
}

// ctorNamed finds a constructor that the language itself builds. A library that
// lacks it gets one that nothing else knows, so that checking goes on.
func ctorNamed(def *core.TypeDef, name string) *core.Ctor {
	for _, ctor := range def.Ctors {
		if ctor.Name == name {
			return ctor
		}
	}
	return &core.Ctor{Def: def, Name: name, JSON: name}
}

func (b *builtins) list(elem core.Type) core.Type {
	return &core.Con{Def: b.List, Args: []core.Type{elem}}
}

func (b *builtins) option(elem core.Type) core.Type {
	return &core.Con{Def: b.Option, Args: []core.Type{elem}}
}

// argOf gives t's arguments when t is def applied, else nil and false.
func argsOf(t core.Type, def *core.TypeDef) ([]core.Type, bool) {
	if con, ok := prune(t).(*core.Con); ok && con.Def == def {
		return con.Args, true
	}
	return nil, false
}

// isOption gives the type inside an Option.
func (b *builtins) isOption(t core.Type) (core.Type, bool) {
	if args, ok := argsOf(t, b.Option); ok {
		return args[0], true
	}
	return nil, false
}

// isNumber reports whether a literal of this kind may have type t.
func (b *builtins) isNumber(t core.Type, lit litKind) bool {
	con, ok := t.(*core.Con)
	if !ok {
		return false
	}
	return con.Def == b.Float || con.Def == b.Decimal || lit == wholeLit && con.Def == b.Int
}

// opaque reports whether only its own module may look into a wrapper.
func (b *builtins) opaque(def *core.TypeDef, from *module) bool {
	return (def == b.Map || def == b.Set) && from.core != def.Module
}

// isStdPath reports whether a module path is the standard library's.
func isStdPath(path string) bool { return strings.HasPrefix(path, "std/") }
