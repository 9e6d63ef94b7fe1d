// Package irtest serves the tests of the compiler's back: a reader of the text
// form that ir.Fprint writes, an evaluator that says what a module means, and a
// maker of random modules.
//
//	m, err := irtest.Parse(`func twice($0 i64) -> i64 { return (i64.add $0 $0) }`)
//	machine := irtest.NewMachine(m)
//	out := machine.Call(m.Funcs[0], 21) // out.Value is 42
package irtest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"towpath.dev/internal/lang/ir"
)

// Parse reads the text form of a module. Functions may be used before they
// stand; "#n" behind a name tells functions of one name apart and is dropped.
func Parse(text string) (m *ir.Module, err error) {
	p := &parser{m: &ir.Module{}, funcs: map[string]*ir.Func{}, starts: map[*ir.Func]int{}}
	defer func() {
		if r := recover(); r != nil {
			bad, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			m, err = nil, bad
		}
	}()
	p.scan(text)
	p.declare()
	for p.tok() != "" {
		p.top()
	}
	return p.m, nil
}

type syntaxError string

func (e syntaxError) Error() string { return string(e) }

type token struct {
	text string
	line int
}

type parser struct {
	m      *ir.Module
	toks   []token
	at     int
	funcs  map[string]*ir.Func
	starts map[*ir.Func]int // the token of each function's first statement
	fn     *ir.Func
	labels []*ir.Label
}

func (p *parser) fail(format string, args ...any) {
	line := 0
	if p.at < len(p.toks) {
		line = p.toks[p.at].line
	}
	panic(syntaxError(fmt.Sprintf("line %d: %s", line, fmt.Sprintf(format, args...))))
}

// scan splits the text into words, quoted words and single brackets.
func (p *parser) scan(text string) {
	for n, line := range strings.Split(text, "\n") {
		for i := 0; i < len(line); {
			switch c := line[i]; {
			case c <= ' ' || c == ',':
				i++
			case c == ';':
				i = len(line)
			case strings.ContainsRune("(){}=", rune(c)):
				p.toks = append(p.toks, token{line[i : i+1], n + 1})
				i++
			case c == '"':
				q, err := strconv.QuotedPrefix(line[i:])
				if err != nil {
					panic(syntaxError(fmt.Sprintf("line %d: %v", n+1, err)))
				}
				p.toks = append(p.toks, token{q, n + 1})
				i += len(q)
			default:
				j := i
				for j < len(line) && line[j] > ' ' && !strings.ContainsRune("(){}=,;", rune(line[j])) {
					j++
				}
				p.toks = append(p.toks, token{line[i:j], n + 1})
				i = j
			}
		}
	}
}

// declare makes all functions, so that any may call any.
func (p *parser) declare() {
	for i, t := range p.toks {
		if t.text == "func" && i+2 < len(p.toks) && p.toks[i+2].text == "(" {
			key := unquote(p.toks[i+1].text)
			name, _, _ := strings.Cut(key, "#")
			f := &ir.Func{Name: name}
			p.funcs[key] = f
			p.m.Funcs = append(p.m.Funcs, f)
		}
	}
	// Types are needed where calls are read: read all heads first.
	for p.at = 0; p.at < len(p.toks); p.at++ {
		if p.tok() == "func" && p.at+2 < len(p.toks) && p.toks[p.at+2].text == "(" {
			p.next()
			p.head(p.funcs[unquote(p.next())])
		}
	}
	p.at = 0
}

func unquote(s string) string {
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}

func (p *parser) tok() string {
	if p.at < len(p.toks) {
		return p.toks[p.at].text
	}
	return ""
}

func (p *parser) next() string {
	t := p.tok()
	p.at++
	return t
}

func (p *parser) accept(s string) bool {
	if p.tok() == s {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(s string) {
	if !p.accept(s) {
		p.fail("expected %q, found %q", s, p.tok())
	}
}

// sameLine reports whether the next token stands on the line of the last.
func (p *parser) sameLine() bool {
	return p.at > 0 && p.at < len(p.toks) && p.toks[p.at].line == p.toks[p.at-1].line
}

func (p *parser) typ() ir.Type {
	switch p.next() {
	case "i32":
		return ir.I32
	case "i64":
		return ir.I64
	case "f64":
		return ir.F64
	}
	p.at--
	p.fail("expected a type, found %q", p.tok())
	return ir.None
}

func (p *parser) result() ir.Type {
	if p.accept("->") {
		return p.typ()
	}
	return ir.None
}

func (p *parser) top() {
	switch word := p.next(); word {
	case "import":
		imp := &ir.Import{Name: p.next()}
		for p.expect("("); !p.accept(")"); {
			imp.Params = append(imp.Params, p.typ())
		}
		imp.Result = p.result()
		imp.Pure = p.accept("pure")
		imp.NoReturn = p.accept("noreturn")
		p.m.Imports = append(p.m.Imports, imp)
	case "global":
		g := &ir.Global{Name: unquote(p.next()), Type: p.typ()}
		p.expect("=")
		g.Init = p.constant(p.next()).Bits
		if p.tok() == "export" && p.sameLine() {
			p.next()
			g.Export = unquote(p.next())
		}
		p.m.Globals = append(p.m.Globals, g)
	case "export":
		name := unquote(p.next())
		p.expect("=")
		p.m.Exports = append(p.m.Exports, ir.Export{Name: name, Func: p.callee()})
	case "data":
		p.m.Data = []byte(unquote(p.next()))
	case "pages":
		p.m.Pages = uint32(p.number(p.next()))
	case "func":
		p.fn = p.funcs[unquote(p.next())]
		p.at, p.labels = p.starts[p.fn], nil
		p.fn.Body = p.rest()
	default:
		p.at--
		p.fail("unexpected %q", word)
	}
}

// head reads from the parameters up to the body's first statement.
func (p *parser) head(f *ir.Func) {
	f.Locals = f.Locals[:0]
	for p.expect("("); !p.accept(")"); {
		p.next()
		f.Locals = append(f.Locals, p.typ())
	}
	f.Params = len(f.Locals)
	f.Result = p.result()
	f.Inline = p.accept("inline")
	f.NoInline = p.accept("noinline")
	f.Runtime = p.accept("runtime")
	p.expect("{")
	if p.accept("local") {
		for strings.HasPrefix(p.tok(), "$") && p.toks[p.at+1].text != "=" {
			p.next()
			f.Locals = append(f.Locals, p.typ())
		}
	}
	p.starts[f] = p.at
}

func (p *parser) number(s string) int64 {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		p.at--
		p.fail("expected a number, found %q", s)
	}
	return n
}

func (p *parser) prefixed(prefix string) int64 {
	s := p.next()
	if !strings.HasPrefix(s, prefix) {
		p.at--
		p.fail("expected %sn, found %q", prefix, s)
	}
	return p.number(s[1:])
}

func (p *parser) constant(s string) *ir.Const {
	switch {
	case strings.HasPrefix(s, "nan:"):
		bits, err := strconv.ParseUint(s[4:], 0, 64)
		if err != nil {
			p.fail("%v", err)
		}
		return &ir.Const{T: ir.F64, Bits: bits}
	case strings.HasSuffix(s, "L"):
		return &ir.Const{T: ir.I64, Bits: uint64(p.number(s[:len(s)-1]))}
	case strings.ContainsAny(s, ".eI"):
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			p.fail("%v", err)
		}
		return &ir.Const{T: ir.F64, Bits: math.Float64bits(x)}
	}
	return &ir.Const{T: ir.I32, Bits: uint64(uint32(p.number(s)))}
}

func (p *parser) callee() *ir.Func {
	name := unquote(p.next())
	f := p.funcs[name]
	if f == nil {
		p.at--
		p.fail("there is no function %q", name)
	}
	return f
}

func (p *parser) host() *ir.Import {
	name := p.next()
	for _, imp := range p.m.Imports {
		if imp.Name == name {
			return imp
		}
	}
	p.at--
	p.fail("there is no import %q", name)
	return nil
}

func (p *parser) global(name string) *ir.Global {
	for _, g := range p.m.Globals {
		if g.Name == name {
			return g
		}
	}
	p.fail("there is no global %q", name)
	return nil
}
