package lsp

import (
	"fmt"
	"strings"
	"time"

	"towpath.dev/internal/lang/core"
)

// described is a definition as an editor shows it.
type described struct {
	signature string // in Tow
	doc       string // Markdown
	calls     []core.Calling
}

// markdown is the text of a hover.
func (d described) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "```tow\n%s\n```\n", d.signature)
	if d.doc != "" {
		b.WriteString("\n" + strings.TrimSpace(d.doc) + "\n")
	}
	if len(d.calls) > 0 {
		b.WriteString("\nMay call\n\n")
		for _, c := range d.calls {
			fmt.Fprintf(&b, "- `%s`, %s\n", c.Op.QualifiedName(), needText(c.Need))
		}
	}
	return b.String()
}

func needText(n core.Need) string {
	switch n {
	case core.Guarded:
		return "guarded by an `else`"
	case core.Optional:
		return "optional"
	}
	return "required"
}

// describe tells what a definition is; false when there is nothing to tell.
func describe(def any) (described, bool) {
	switch def := def.(type) {
	case *core.Func:
		return described{functionText(def), def.Doc, def.Callings}, true
	case *core.Local:
		return described{signature: def.Name + ": " + typeText(def.Type)}, true
	case *core.Param:
		return described{signature: def.Name, doc: "A type parameter."}, true
	case *core.Const:
		return described{signature: fmt.Sprintf("%sconst %s: %s", public(def.Pub), def.Name, typeText(def.Type)), doc: def.Doc}, true
	case *core.TypeDef:
		return described{signature: typeDefText(def), doc: def.Doc}, true
	case *core.Ctor:
		return described{signature: ctorText(def) + originOf(def), doc: or(def.Doc, def.Def.Doc)}, true
	case *core.Field:
		return described{signature: fieldText(def), doc: def.Doc}, true
	case *core.Service:
		lines := []string{public(def.Pub) + "service " + def.Name + " {"}
		for _, op := range def.Ops {
			lines = append(lines, "  "+operationText(op))
		}
		return described{signature: strings.Join(append(lines, "}"), "\n"), doc: def.Doc}, true
	case *core.Operation:
		return described{signature: operationText(def), doc: or(def.Doc, "An operation of `"+def.Service.Name+"`.")}, true
	case *core.Module:
		return described{signature: "module " + def.Path, doc: def.Doc}, true
	}
	return described{}, false
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func public(pub bool) string {
	if pub {
		return "pub "
	}
	return ""
}

func typeText(t core.Type) string {
	if t == nil {
		return "?"
	}
	return t.String()
}

func functionText(f *core.Func) string {
	word := "fn "
	if f.Kind == core.View {
		word = "view "
	}
	text := public(f.Pub) + word + f.Name
	if len(f.TypeParams) > 0 {
		names := make([]string, len(f.TypeParams))
		for i, p := range f.TypeParams {
			names[i] = p.Name
		}
		text += "<" + strings.Join(names, ", ") + ">"
	}
	text += parametersText(f.Params) + " -> " + typeText(f.Result)
	if f.Within > 0 {
		text += " within " + durationText(f.Within)
	}
	return text
}

func parametersText(params []*core.Local) string {
	parts := make([]string, len(params))
	for i, p := range params {
		parts[i] = p.Name + ": " + typeText(p.Type) + defaultText(p.Default)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func defaultText(e core.Expr) string {
	if e == nil {
		return ""
	}
	return " = " + strings.Join(strings.Fields(e.Pos().Text()), " ")
}

func operationText(op *core.Operation) string {
	text := "fn " + op.Name + parametersText(op.Params) + " -> " + typeText(op.Result)
	if op.Batch > 0 {
		text += fmt.Sprintf(" batch %d", op.Batch)
	}
	if op.Within > 0 {
		text += " within " + durationText(op.Within)
	}
	if op.Cache > 0 {
		text += " cache " + durationText(op.Cache)
		if op.Shared {
			text += " shared"
		} else {
			text += " per caller"
		}
	}
	if op.Idempotent {
		text += " idempotent"
	}
	return text
}

// durationText is nanoseconds as Tow writes them.
func durationText(ns int64) string {
	return strings.NewReplacer("µs", "us", "m0s", "m", "h0m", "h").Replace(time.Duration(ns).String())
}

func fieldText(f *core.Field) string {
	if f.Name == "" {
		return typeText(f.Type)
	}
	return f.Name + ": " + typeText(f.Type) + defaultText(f.Default)
}

func ctorText(c *core.Ctor) string {
	if len(c.Fields) == 0 {
		return c.Name
	}
	parts := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		parts[i] = fieldText(f)
		if c.Def.Kind == core.Wrapper {
			parts[i] = typeText(f.Type)
		}
	}
	fields := strings.Join(parts, ", ")
	if c.Def.Kind == core.Record {
		return c.Name + " { " + fields + " }"
	}
	return c.Name + "(" + fields + ")"
}

// originOf says whose alternative a constructor is.
func originOf(c *core.Ctor) string {
	if c.Def.Kind == core.Variant {
		return " -> " + headText(c.Def)
	}
	return ""
}

func headText(def *core.TypeDef) string {
	if len(def.Params) == 0 {
		return def.Name
	}
	names := make([]string, len(def.Params))
	for i, p := range def.Params {
		names[i] = p.Name
	}
	return def.Name + "<" + strings.Join(names, ", ") + ">"
}

func typeDefText(def *core.TypeDef) string {
	head := public(def.Pub) + "type " + headText(def)
	opaque := isStd(def.Module) && (def.Name == "Map" || def.Name == "Set")
	switch {
	case len(def.Ctors) == 0 || opaque:
		return head
	case def.Kind == core.Record:
		lines := []string{head + " {"}
		for _, f := range def.Ctors[0].Fields {
			lines = append(lines, "  "+fieldText(f))
		}
		return strings.Join(append(lines, "}"), "\n")
	case def.Kind == core.Wrapper:
		return head + "(" + typeText(def.Ctors[0].Fields[0].Type) + ")"
	}
	alternatives := make([]string, len(def.Ctors))
	for i, c := range def.Ctors {
		alternatives[i] = ctorText(c)
	}
	return head + " = " + strings.Join(alternatives, " | ")
}

func isStd(m *core.Module) bool { return m != nil && strings.HasPrefix(m.Path, "std/") }
