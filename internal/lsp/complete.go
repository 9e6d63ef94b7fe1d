package lsp

import (
	"fmt"
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/types"
)

// completion offers what can be written at a place. What stands before it
// decides: a path in an import, a dot, a pipe, or nothing of these.
func (s *server) completion(p placeParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	offset := offsetOf(v.file, p.Position)
	text := string(v.file.Text[:offset])
	before := strings.TrimRight(text, nameCharacters) // without the name that is being written
	c := &completer{view: v, seen: map[string]bool{}}
	line := before[strings.LastIndexByte(before, '\n')+1:]
	switch {
	case inComment(text) || inString(line):
	case strings.HasPrefix(strings.TrimLeft(line, " "), "import "):
		c.imports(strings.TrimSpace(strings.TrimPrefix(strings.TrimLeft(text[strings.LastIndexByte(text, '\n')+1:], " "), "import ")))
	case strings.HasSuffix(before, ".") && !strings.HasSuffix(before, ".."):
		c.members(strings.TrimSuffix(before, "."))
	case strings.HasSuffix(strings.TrimRight(before, " \n"), "|>"):
		c.pipe(strings.TrimSuffix(strings.TrimRight(before, " \n"), "|>"), offset)
	default:
		c.names(offset)
	}
	if c.items == nil {
		c.items = []completionItem{}
	}
	return c.items, nil
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// inComment reports whether a text ends in a comment.
func inComment(text string) bool {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	i := strings.Index(line, "//")
	return i >= 0 && !inString(line[:i])
}

// inString reports whether a line ends within a string, holes not looked into.
func inString(line string) bool {
	in, holes := false, 0
	for i := 0; i < len(line); i++ {
		switch {
		case in && line[i] == '\\':
			i++
		case line[i] == '"':
			in = !in
		case in && line[i] == '{':
			in, holes = false, holes+1
		case !in && line[i] == '}' && holes > 0:
			in, holes = true, holes-1
		}
	}
	return in
}

// completer collects what it offers. Items come first that were added first.
type completer struct {
	*view
	items []completionItem
	seen  map[string]bool
}

func (c *completer) add(name string, def any) {
	key := name
	if c.seen[key] || name == "" {
		return
	}
	item := completionItem{Label: name, Kind: completeVariable, SortText: fmt.Sprintf("%04d", len(c.items))}
	switch def := def.(type) {
	case *core.Func:
		item.Kind = completeFunction
	case *core.Const:
		item.Kind = completeConstant
	case *core.TypeDef:
		item.Kind = completeType
	case *core.Param:
		item.Kind = completeTypeVar
	case *core.Ctor:
		item.Kind = completeCtor
	case *core.Field:
		item.Kind = completeField
		if def.Private {
			return
		}
	case *core.Service:
		item.Kind = completeService
	case *core.Operation:
		item.Kind = completeFunction
	case *core.Module:
		item.Kind = completeModule
	}
	if d, ok := describe(def); ok {
		item.Detail, _, _ = strings.Cut(d.signature, "\n")
		if d.doc != "" {
			item.Documentation = &markup{"markdown", d.doc}
		}
	}
	c.seen[key] = true
	c.items = append(c.items, item)
}

func (c *completer) addAll(names []types.Name) {
	for _, n := range names {
		c.add(n.Text, n.Def)
	}
}

// words are offered where any expression or declaration may begin.
var words = []string{
	"let", "if", "else", "match", "optional", "within", "is", "true", "false", "now",
	"pub", "fn", "view", "type", "const", "service", "import", "test", "prop", "expect", "given", "debug",
}

// names offers what is in scope.
func (c *completer) names(offset int) {
	c.addAll(c.info.NamesAt(offset))
	// The standard library's names are in scope everywhere.
	for _, m := range c.result.Program.Modules {
		if !isStd(m) {
			continue
		}
		c.add(strings.TrimPrefix(m.Path, "std/"), m)
		for _, t := range m.Types {
			if !t.Pub {
				continue
			}
			c.add(t.Name, t)
			if t.Kind == core.Variant {
				for _, ctor := range t.Ctors {
					c.add(ctor.Name, ctor)
				}
			}
		}
	}
	for _, w := range words {
		if !c.seen[w] {
			c.items = append(c.items, completionItem{Label: w, Kind: completeKeyword, SortText: fmt.Sprintf("9%03d", len(c.items))})
		}
	}
}

// members offers what may follow a dot after the text: a module's names, a
// service's operations or a value's fields.
func (c *completer) members(text string) {
	end := len(text)
	if end == 0 {
		return
	}
	// A name of a module or a service, or of a value.
	if strings.ContainsRune(nameCharacters, rune(text[end-1])) {
		start := len(strings.TrimRight(text, nameCharacters))
		for _, n := range c.info.NamesAt(end) {
			if n.Text != text[start:] {
				continue
			}
			switch def := n.Def.(type) {
			case *core.Module, *core.Service:
				c.addAll(c.result.Info.Members(def))
				return
			case *core.Local:
				c.addAll(c.result.Info.Members(def.Type))
				return
			}
		}
		if m := c.stdModule(text[start:]); m != nil && !strings.HasSuffix(text[:start], ".") {
			c.addAll(c.result.Info.Members(m))
			return
		}
	}
	if t := c.typeBefore(end); t != nil {
		c.addAll(c.result.Info.Members(t))
	}
}

func (c *completer) stdModule(name string) *core.Module {
	for _, m := range c.result.Program.Modules {
		if m.Path == "std/"+name {
			return m
		}
	}
	return nil
}

// typeBefore is the type of the expression that ends at an offset, nil when it
// is not known.
func (c *completer) typeBefore(end int) core.Type {
	for _, offset := range []int{end, end - 1} {
		if t, at := c.info.TypeAt(offset); t != nil && at.End == end {
			return t
		}
	}
	return nil
}

// pipe offers the functions that take what stands before a pipe: those of its
// type's module, and those in scope.
func (c *completer) pipe(text string, offset int) {
	end := len(strings.TrimRight(text, " \n"))
	if c.typeBefore(end) == nil {
		if patched := c.withCall(offset); patched != nil {
			c.view = patched // the types of one check are not those of another
		}
	}
	t := c.typeBefore(end)
	if t == nil {
		c.names(offset)
		return
	}
	for _, n := range c.info.NamesAt(end) {
		if f, ok := n.Def.(*core.Func); ok && len(f.Params) > 0 && accepts(f.Params[0].Type, t) && f.Kind != core.View {
			c.add(n.Text, f)
		}
	}
	for _, f := range c.result.Info.PipeTargets(t) {
		c.add(f.Name, f)
	}
}

// withCall reads the document with a call put at an offset, where a pipe leads
// nowhere yet. It is nil when that cannot be.
func (c *completer) withCall(offset int) *view {
	const call = "f()"
	text := c.file.Text
	patched := append(append(append([]byte{}, text[:offset]...), call...), text[offset:]...)
	res, err := c.checkWith(c.doc.file, patched)
	if err != nil {
		return nil
	}
	v, err := viewOf(c.doc, res)
	if err != nil {
		return nil
	}
	return v
}

// accepts reports whether a parameter's type may take a value of a type, type
// parameters standing for anything.
func accepts(param, t core.Type) bool {
	switch param := param.(type) {
	case *core.Param:
		return true
	case *core.Con:
		con, ok := t.(*core.Con)
		if !ok || con.Def != param.Def {
			return false
		}
		for i := range param.Args {
			if !accepts(param.Args[i], con.Args[i]) {
				return false
			}
		}
		return true
	case *core.Tuple:
		tuple, ok := t.(*core.Tuple)
		if !ok || len(tuple.Elems) != len(param.Elems) {
			return false
		}
		for i := range param.Elems {
			if !accepts(param.Elems[i], tuple.Elems[i]) {
				return false
			}
		}
		return true
	}
	return core.Identical(param, t)
}

// imports offers modules, or after `.{` the names of one.
func (c *completer) imports(written string) {
	path, _, inBraces := strings.Cut(written, ".{")
	for _, m := range c.result.Program.Modules {
		switch {
		case m == c.info.Module:
		case inBraces && m.Path == path:
			for _, n := range c.result.Info.Members(m) {
				if !strings.HasPrefix(n.Text, "_") {
					c.add(n.Text, n.Def)
				}
			}
		case !inBraces:
			// The editor replaces the last part of the path, what follows a slash.
			slash := strings.LastIndexByte(path, '/') + 1
			if rest, ok := strings.CutPrefix(m.Path, path[:slash]); ok {
				c.add(rest, m)
			}
		}
	}
}
