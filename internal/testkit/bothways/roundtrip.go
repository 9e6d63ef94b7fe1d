package bothways

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
)

// RoundTrip formats a program and demands that the checked tree of the new text
// is the one of the old but for places, and that formatting it again changes
// nothing.
func RoundTrip(files map[string]string) error {
	formatted := map[string]string{}
	for name, text := range files {
		once, problems := format.Source(span.NewFile(name, []byte(text)))
		if problems.HasErrors() {
			return fmt.Errorf("formatting %s: %s", name, problems.All[0])
		}
		twice, problems := format.Source(span.NewFile(name, once))
		if problems.HasErrors() {
			return fmt.Errorf("formatting %s made what does not parse: %s\n%s", name, problems.All[0], once)
		}
		if !bytes.Equal(once, twice) {
			return fmt.Errorf("formatting %s again changes it: %s", name, firstDifference(string(once), string(twice)))
		}
		formatted[name] = string(once)
	}
	before, err := tree(files)
	if err != nil {
		return err
	}
	after, err := tree(formatted)
	if err != nil {
		return fmt.Errorf("formatted: %w", err)
	}
	if before != after {
		return fmt.Errorf("formatting changed the checked tree: %s", firstDifference(before, after))
	}
	return nil
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range as {
		if i >= len(bs) || as[i] != bs[i] {
			return fmt.Sprintf("line %d was\n%s\nand is\n%s", i+1, as[i], strings.Join(bs[i:min(i+1, len(bs))], ""))
		}
	}
	return "there are more lines"
}

// tree is the checked tree of a program as text, without places.
func tree(files map[string]string) (string, error) {
	res, err := compile.Check(folder(files), compile.Options{})
	if err != nil {
		return "", err
	}
	if res.Diags.HasErrors() {
		return "", fmt.Errorf("%w: %s", ErrProgram, problems(res))
	}
	d := dump{locals: map[*core.Local]int{}}
	for _, m := range res.Program.Modules {
		if strings.HasPrefix(m.Path, "std/") {
			continue
		}
		for _, t := range m.Types {
			d.declaration(m, t.Name, t)
			for _, c := range t.Ctors {
				d.declaration(m, c.Name, c)
				for _, f := range c.Fields {
					d.declaration(m, f.Name, f)
				}
			}
		}
		for _, c := range m.Consts {
			d.declaration(m, c.Name, c)
		}
		for _, f := range m.Funcs {
			d.declaration(m, f.Name, f)
		}
		for _, s := range m.Services {
			for _, op := range s.Ops {
				d.declaration(m, op.Name, op)
			}
		}
	}
	return d.b.String(), nil
}

// dump writes the structure of declarations; what they name stands for itself.
type dump struct {
	b      strings.Builder
	locals map[*core.Local]int
}

func (d *dump) declaration(m *core.Module, name string, decl any) {
	fmt.Fprintf(&d.b, "%s.%s: ", m.Path, name)
	d.value(reflect.ValueOf(decl).Elem(), 0)
	d.b.WriteString("\n")
}

// named writes what has a name, or an identity, of its own.
func (d *dump) named(x any) bool {
	text := ""
	switch x := x.(type) {
	case span.Span, *span.File:
	case *core.Module:
		text = x.Path
	case *core.TypeDef:
		text = x.Module.Path + "." + x.Name
	case *core.Ctor:
		text = x.Def.Name + "." + x.Name
	case *core.Func:
		text = x.QualifiedName()
	case *core.Const:
		text = x.Module.Path + "." + x.Name
	case *core.Operation:
		text = x.QualifiedName()
	case *core.Service:
		text = x.Name
	case *core.Param:
		text = x.Name
	case core.Type:
		text = x.String()
	case decimal.Decimal:
		text = x.String()
	case *core.Local:
		if n, ok := d.locals[x]; ok {
			text = fmt.Sprint("local ", n)
			break
		}
		d.locals[x] = len(d.locals)
		return false
	default:
		return false
	}
	d.b.WriteString(text)
	return true
}

func (d *dump) value(v reflect.Value, depth int) {
	if v.IsValid() && v.CanInterface() && depth > 0 && !(v.Kind() == reflect.Pointer && v.IsNil()) && d.named(v.Interface()) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			d.b.WriteString("nil")
			return
		}
		d.value(v.Elem(), depth+1)
	case reflect.Struct:
		d.b.WriteString(v.Type().Name() + "{")
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Doc" && v.Field(i).Type() != reflect.TypeFor[span.Span]() {
				d.value(v.Field(i), depth+1)
				d.b.WriteString(" ")
			}
		}
		d.b.WriteString("}")
	case reflect.Slice:
		d.b.WriteString("[")
		for i := range v.Len() {
			d.value(v.Index(i), depth+1)
			d.b.WriteString(" ")
		}
		d.b.WriteString("]")
	default:
		fmt.Fprintf(&d.b, "%#v", v)
	}
}
