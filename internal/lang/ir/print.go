package ir

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"towpath.dev/internal/abi"
)

// Fprint writes the module as text, for people and golden files. The form is
// stable and loses nothing but the difference between two labels of one name:
//
//	import yield(i32)
//	global gas i64 = 0 export "gas"
//	export "view:shop.price" = shop.price
//	pages 2
//
//	func shop.price($0 i32) -> i64 inline {
//	  local $1 i64
//	  gas 1L @4
//	  $1 = (i64.load $0 +8)
//	  if (i64.lt_s $1 2L) {
//	    return $1
//	  }
//	  return (call shop.price (i32.load $0))
//	}
//
// A constant is an i32 (7), an i64 (7L) or an f64 (7.0, nan:0x7ff8000000000001);
// $n is a local, %name a global, @n a site, +n an offset in bytes.
func Fprint(w io.Writer, m *Module) error {
	p := newPrinter(w)
	for _, imp := range m.Imports {
		p.printf("import %s(%s)%s%s%s\n", imp.Name, typeList(imp.Params), resultOf(imp.Result), flag(imp.Pure, " pure"), flag(imp.NoReturn, " noreturn"))
	}
	for _, g := range m.Globals {
		p.printf("global %s %s = %s", word(g.Name), TypeName(g.Type), constant(g.Type, g.Init))
		if g.Export != "" {
			p.printf(" export %q", g.Export)
		}
		p.printf("\n")
	}
	for _, f := range m.Funcs {
		p.name(f)
	}
	for _, x := range m.Exports {
		p.printf("export %q = %s\n", x.Name, p.name(x.Func))
	}
	if len(m.Data) > 0 {
		p.printf("data %q\n", m.Data)
	}
	if m.Pages > 0 {
		p.printf("pages %d\n", m.Pages)
	}
	for i, f := range m.Funcs {
		if i > 0 || len(m.Imports)+len(m.Globals)+len(m.Exports) > 0 {
			p.printf("\n")
		}
		p.function(f)
	}
	return p.w.Flush()
}

// FprintFunc writes one function as Fprint does. The functions that it calls go
// by their names.
func FprintFunc(w io.Writer, f *Func) error {
	p := newPrinter(w)
	p.function(f)
	return p.w.Flush()
}

// printer writes the text form.
type printer struct {
	w      *bufio.Writer
	depth  int
	names  map[*Func]string
	seen   map[string]int
	labels map[*Label]string
	used   map[string]int
}

func newPrinter(w io.Writer) *printer {
	return &printer{w: bufio.NewWriter(w), names: map[*Func]string{}, seen: map[string]int{}}
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

// name is the function's name, with #2 and so on for those that share one.
func (p *printer) name(f *Func) string {
	n, ok := p.names[f]
	if !ok {
		n = unique(p.seen, f.Name)
		p.names[f] = n
	}
	return n
}

func (p *printer) label(l *Label) string {
	n, ok := p.labels[l]
	if !ok {
		n = l.Name
		if n == "" {
			n = "l"
		}
		n = unique(p.used, n)
		p.labels[l] = n
	}
	return n
}

func unique(seen map[string]int, name string) string {
	seen[name]++
	if n := seen[name]; n > 1 {
		return word(name + "#" + strconv.Itoa(n))
	}
	return word(name)
}

// word is a name as it is when it is made of harmless characters, else quoted.
func word(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`(){}"',=`, r)
	}) < 0
	if plain {
		return s
	}
	return strconv.Quote(s)
}

func (p *printer) function(f *Func) {
	p.labels, p.used = map[*Label]string{}, map[string]int{}
	p.printf("func %s(", p.name(f))
	for i, t := range f.Locals[:f.Params] {
		p.printf("%s$%d %s", flag(i > 0, ", "), i, TypeName(t))
	}
	p.printf(")%s%s%s%s {\n", resultOf(f.Result), flag(f.Inline, " inline"), flag(f.NoInline, " noinline"), flag(f.Runtime, " runtime"))
	if len(f.Locals) > f.Params {
		p.printf("  local")
		for i, t := range f.Locals[f.Params:] {
			p.printf(" $%d %s", f.Params+i, TypeName(t))
		}
		p.printf("\n")
	}
	p.depth = 1
	p.stmts(f.Body)
	p.printf("}\n")
}

func (p *printer) body(b []Stmt) {
	p.printf("{\n")
	p.depth++
	p.stmts(b)
	p.depth--
	p.indent()
	p.printf("}")
}

func (p *printer) indent() {
	for range p.depth {
		p.printf("  ")
	}
}

func (p *printer) stmts(b []Stmt) {
	for _, s := range b {
		p.indent()
		p.stmt(s)
		p.printf("\n")
	}
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Set:
		p.printf("$%d = ", s.Local)
		p.expr(s.X)
	case *SetGlobal:
		p.printf("%%%s = ", word(s.Global.Name))
		p.expr(s.X)
	case *Store:
		p.printf("%s ", access("store", s.X.Type(), s.Width))
		p.expr(s.Addr)
		p.offset(s.Offset)
		p.args(s.X)
	case *Copy:
		p.printf("copy")
		p.args(s.Dst, s.Src, s.Size)
	case *Do:
		p.printf("do")
		p.args(s.X)
	case *CallStmt:
		p.printf("call %s", p.name(s.Func))
		p.args(s.Args...)
	case *HostStmt:
		p.printf("host %s", s.Import.Name)
		p.args(s.Args...)
	case *Break:
		p.printf("break %s", p.label(s.Label))
		p.test(s.Test)
	case *Continue:
		p.printf("continue %s", p.label(s.Label))
		p.test(s.Test)
	case *Return:
		p.printf("return")
		if s.X != nil {
			p.args(s.X)
		}
	case *Fault:
		p.printf("fault @%d", s.Site)
	case *Gas:
		p.printf("gas")
		p.args(s.Cost)
		p.printf(" @%d", s.Site)
	default:
		p.compound(s)
	}
}

// compound prints the statements that hold bodies.
func (p *printer) compound(s Stmt) {
	switch s := s.(type) {
	case *If:
		p.printf("if")
		p.args(s.Test)
		p.printf(" ")
		p.body(s.Then)
		if len(s.Else) > 0 {
			p.printf(" else ")
			p.body(s.Else)
		}
	case *Block:
		p.printf("block %s ", p.label(s.Label))
		p.body(s.Body)
	case *Loop:
		p.printf("loop %s ", p.label(s.Label))
		p.body(s.Body)
	case *Switch:
		p.printf("switch")
		p.args(s.X)
		p.printf(" {\n")
		for _, c := range s.Cases {
			p.indent()
			p.printf("case ")
			p.body(c)
			p.printf("\n")
		}
		p.indent()
		p.printf("default ")
		p.body(s.Default)
		p.printf("\n")
		p.indent()
		p.printf("}")
	default:
		p.printf("?%T", s)
	}
}

func (p *printer) test(e Expr) {
	if e != nil {
		p.printf(" if")
		p.args(e)
	}
}

func (p *printer) offset(n uint32) {
	if n != 0 {
		p.printf(" +%d", n)
	}
}

func (p *printer) args(es ...Expr) {
	for _, e := range es {
		p.printf(" ")
		p.expr(e)
	}
}

func (p *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Const:
		p.printf("%s", constant(e.T, e.Bits))
		return
	case *Get:
		p.printf("$%d", e.Local)
		return
	case *GetGlobal:
		p.printf("%%%s", word(e.Global.Name))
		return
	}
	p.printf("(")
	switch e := e.(type) {
	case *Unary:
		p.printf("%s", e.Op)
		p.args(e.X)
	case *Binary:
		p.printf("%s", e.Op)
		p.args(e.X, e.Y)
	case *Load:
		p.printf("%s%s", access("load", e.T, e.Width), flag(e.Mutable, ".mut"))
		p.args(e.Addr)
		p.offset(e.Offset)
	case *Alloc:
		p.printf("alloc")
		p.args(e.Size)
		p.printf(" @%d", e.Site)
	case *Call:
		p.printf("call %s", p.name(e.Func))
		p.args(e.Args...)
	case *Host:
		p.printf("host %s", e.Import.Name)
		p.args(e.Args...)
	case *Cond:
		p.printf("cond")
		p.args(e.Test, e.Then, e.Else)
	case *Seq:
		p.printf("seq ")
		p.body(e.Body)
		p.args(e.Value)
	default:
		p.printf("?%T", e)
	}
	p.printf(")")
}

// access is a load's or store's name: the value's type, and its width in bits
// where that is not the type's own.
func access(op string, t Type, width uint8) string {
	name := TypeName(t) + "." + op
	if uint32(width) != t.Size() {
		name += strconv.Itoa(int(width) * 8)
	}
	return name
}

// TypeName is WebAssembly's name of the type.
func TypeName(t Type) string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F64:
		return "f64"
	}
	return "none"
}

func typeList(ts []Type) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = TypeName(t)
	}
	return strings.Join(names, ", ")
}

func resultOf(t Type) string {
	if t == None {
		return ""
	}
	return " -> " + TypeName(t)
}

func flag(on bool, s string) string {
	if on {
		return s
	}
	return ""
}

func constant(t abi.Val, bits uint64) string {
	switch t {
	case I32:
		return strconv.FormatInt(int64(int32(bits)), 10)
	case I64:
		return strconv.FormatInt(int64(bits), 10) + "L"
	}
	x := math.Float64frombits(bits)
	if math.IsNaN(x) {
		return fmt.Sprintf("nan:%#x", bits)
	}
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eI") {
		s += ".0"
	}
	return s
}
