package interp

import (
	"fmt"

	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// A small program built by hand, so that what a tree means is tested apart from
// what the checker makes of a text.

var file = span.NewFile("test.tow", make([]byte, 1000))

// at makes a place that a test can recognise.
func at(n int) span.Span { return file.Span(n, n+1) }

func x(n int, t core.Type) core.X { return core.X{At: at(n), Type: t} }

func builtin(module, name string, params ...string) *core.TypeDef {
	def := &core.TypeDef{Module: &core.Module{Path: "std/" + module}, Name: name}
	for _, p := range params {
		def.Params = append(def.Params, &core.Param{Name: p})
	}
	return def
}

// define gives a type its constructors: "None", "Some value:T".
func define(def *core.TypeDef, kind core.TypeKind, ctors ...*core.Ctor) *core.TypeDef {
	def.Kind = kind
	for i, c := range ctors {
		c.Def, c.Tag, c.JSON = def, i, c.Name
	}
	def.Ctors = ctors
	return def
}

func ctor(name string, fields ...*core.Field) *core.Ctor {
	return &core.Ctor{Name: name, Fields: fields}
}

func field(name string, t core.Type) *core.Field {
	return &core.Field{Name: name, JSON: name, Type: t}
}

func con(def *core.TypeDef, args ...core.Type) *core.Con { return &core.Con{Def: def, Args: args} }

// world is the types of the small program.
type world struct {
	std                                      core.Std
	bool, int, float, decimal, money, string core.Type
	duration, instant, date, json            core.Type
	node                                     *core.TypeDef // Map's
}

func newWorld() *world {
	w := &world{}
	w.std = core.Std{
		Bool: builtin("bool", "Bool"), Int: builtin("int", "Int"), Float: builtin("float", "Float"),
		Decimal: builtin("decimal", "Decimal"), Money: builtin("money", "Money"), String: builtin("string", "String"),
		Duration: builtin("duration", "Duration"), Instant: builtin("instant", "Instant"), Date: builtin("date", "Date"),
		Json: builtin("json", "Json"), List: builtin("list", "List", "T"),
	}
	s := &w.std
	for to, def := range map[*core.Type]*core.TypeDef{
		&w.bool: s.Bool, &w.int: s.Int, &w.float: s.Float, &w.decimal: s.Decimal, &w.money: s.Money,
		&w.string: s.String, &w.duration: s.Duration, &w.instant: s.Instant, &w.date: s.Date, &w.json: s.Json,
	} {
		*to = con(def)
	}
	option := builtin("option", "Option", "T")
	s.Option = define(option, core.Variant, ctor("None"), ctor("Some", field("value", option.Params[0])))
	result := builtin("result", "Result", "T", "E")
	s.Result = define(result, core.Variant, ctor("Ok", field("value", result.Params[0])), ctor("Err", field("error", result.Params[1])))
	s.Map, w.node = tree("map", "Map", "K", "V")
	s.Set, _ = tree("set", "Set", "T")
	return w
}

// tree declares Map or Set.
func tree(module, name string, params ...string) (def, node *core.TypeDef) {
	node = builtin(module, "Node", params...)
	args := make([]core.Type, len(params))
	for i, p := range node.Params {
		args[i] = p
	}
	fields := []*core.Field{field("size", nil), field("key", args[0])}
	if len(args) == 2 {
		fields = append(fields, field("value", args[1]))
	}
	self := con(node, args...)
	fields = append(fields, field("left", self), field("right", self))
	define(node, core.Variant, ctor("Tip"), ctor("Bin", fields...))
	def = builtin(module, name, params...)
	for i, p := range def.Params {
		args[i] = p
	}
	return define(def, core.Wrapper, ctor(name, field("value", con(node, args...)))), node
}

func (w *world) machine(opts Options) *Machine {
	return New(&core.Program{Std: w.std}, opts)
}

func (w *world) list(t core.Type) *core.Con   { return con(w.std.List, t) }
func (w *world) option(t core.Type) *core.Con { return con(w.std.Option, t) }

func (w *world) some(v Value) Value { return construct(w.std.Option, "Some", v) }
func (w *world) none() Value        { return construct(w.std.Option, "None") }

func (w *world) mapOf(entries ...Entry) Value { return NewMap(w.std.Map, entries) }
func (w *world) setOf(keys ...Value) Value {
	var entries []Entry
	for _, k := range keys {
		entries = append(entries, Entry{Key: k})
	}
	return NewMap(w.std.Set, entries)
}

// lit is a literal; its type follows from the Go type.
func (w *world) lit(n int, v any) core.Expr {
	t := w.int
	switch v.(type) {
	case bool:
		t = w.bool
	case string:
		t = w.string
	case float64:
		t = w.float
	case decimal.Decimal:
		t = w.decimal
	case core.Money:
		t = w.money
	}
	return &core.Lit{X: x(n, t), Value: v}
}

func (w *world) prim(n int, op core.Op, t core.Type, args ...core.Expr) core.Expr {
	return &core.Prim{X: x(n, t), Op: op, Args: args}
}

func ref(l *core.Local) core.Expr { return &core.Ref{X: core.X{Type: l.Type}, Local: l} }

func local(name string, t core.Type) *core.Local { return &core.Local{Name: name, Type: t} }

// fn is a function with its gas worked out; its name stands at n.
func fn(n int, name string, result core.Type, body core.Expr, params ...*core.Local) *core.Func {
	return &core.Func{
		Module: &core.Module{Path: "test"}, Name: name, At: at(n), Params: params, Result: result,
		Body: body, Gas: core.GasOf(body),
	}
}

func intrinsicFn(name string, params ...*core.Local) *core.Func {
	return &core.Func{Module: &core.Module{Path: "std/test"}, Name: name, Kind: core.Intrinsic, Intrinsic: name, Params: params}
}

func dec(s string) decimal.Decimal {
	d, err := decimal.Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

func usd(s string) core.Money { return core.Money{Amount: dec(s), Currency: "USD"} }
func eur(s string) core.Money { return core.Money{Amount: dec(s), Currency: "EUR"} }

// outcome is how a run ended, in a line.
func outcome(m *Machine, t core.Type, v Value, err error) string {
	switch err := err.(type) {
	case nil:
		return m.Render(t, v)
	case *Fault:
		return fmt.Sprintf("%v at %d", err.Kind, err.At.Start)
	case *Failed:
		if err.Op == nil {
			return fmt.Sprintf("scope failed at %d: %v", err.At.Start, err.Reason)
		}
		return fmt.Sprintf("%s failed at %d: %v", err.Op.Name, err.At.Start, err.Reason)
	}
	return "unforeseen: " + err.Error()
}
