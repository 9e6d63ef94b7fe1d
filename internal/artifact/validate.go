package artifact

import (
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
)

// maxPages is what 32-bit addresses can reach.
const maxPages = 1 << 16

// Validate reports every number in the manifest that points nowhere: at no type,
// no file, no operation, or beyond the memory. What it passes can be followed
// without a further check, wrappers and Options ending somewhere.
func (m *Manifest) Validate() error {
	c := &checker{m: m}
	c.memory()
	for i := range m.Schema.Types {
		c.typ(i)
	}
	if len(c.errs) == 0 {
		c.wrappers()
	}
	for i := range m.Views {
		v := &m.Views[i]
		c.where = "view " + v.QualifiedName()
		c.record("input", v.Input)
		c.id("result", v.Result)
		c.place(v.Place)
		for _, x := range v.Callings {
			if x.Operation < 0 || x.Operation >= len(m.Operations) {
				c.fail("there is no operation %d", x.Operation)
			}
		}
	}
	for i := range m.Operations {
		o := &m.Operations[i]
		c.where = "operation " + o.QualifiedName()
		c.record("arguments", o.Args)
		c.id("result", o.Result)
	}
	for i, s := range m.Sites {
		c.where = fmt.Sprintf("site %d", i)
		c.place(s.Place)
		for _, t := range s.Through {
			if t < 0 || int(t) >= len(m.Sites) {
				c.fail("there is no site %d", t)
			}
		}
	}
	for i, s := range m.Scopes {
		c.where = fmt.Sprintf("scope %d", i)
		c.place(s.Place)
	}
	return errors.Join(c.errs...)
}

// maxWrappers bounds how deep wrappers wrap each other.
const maxWrappers = 100

// maxErrors bounds what a hostile manifest can make us say.
const maxErrors = 20

type checker struct {
	m     *Manifest
	where string // what is looked at, for messages
	errs  []error
}

func (c *checker) fail(format string, args ...any) {
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, fmt.Errorf("%s: %s", c.where, fmt.Sprintf(format, args...)))
	}
}

func (c *checker) id(what string, id abi.TypeID) bool {
	if id < 0 || int(id) >= len(c.m.Schema.Types) {
		c.fail("%s: there is no type %d", what, id)
		return false
	}
	return true
}

func (c *checker) record(what string, id abi.TypeID) {
	if c.id(what, id) && c.m.Schema.Types[id].Kind != abi.Record {
		c.fail("%s: the type %d is no record", what, id)
	}
}

func (c *checker) place(p Place) {
	if p.File < -1 || p.File >= len(c.m.Files) && p != (Place{}) {
		c.fail("there is no file %d", p.File)
	}
}

func (c *checker) memory() {
	c.where = "memory"
	switch end := uint64(c.m.Pages) * abi.PageSize; {
	case c.m.Pages > maxPages:
		c.fail("%d pages are more than addresses reach", c.m.Pages)
	case uint64(c.m.HeapBase) > end:
		c.fail("the heap begins at %d, behind the memory's end", c.m.HeapBase)
	case c.m.HeapBase%8 != 0:
		c.fail("the heap begins at %d, not a multiple of 8", c.m.HeapBase)
	}
}

func (c *checker) typ(i int) {
	t := &c.m.Schema.Types[i]
	c.where = fmt.Sprintf("type %d (%s)", i, t.Name)
	switch t.Kind {
	case abi.Bool, abi.Int, abi.Float, abi.Decimal, abi.Money, abi.String, abi.Duration, abi.Instant, abi.Date, abi.Json:
	case abi.List, abi.Option, abi.Wrapper:
		c.id("element", t.Elem)
	case abi.Map, abi.Set:
		c.tree(t)
	case abi.Record, abi.Tuple:
		c.fields(t.Fields, t.Size)
	case abi.Enum:
		for _, ctor := range t.Ctors {
			if len(ctor.Fields) > 0 {
				c.fail("the alternative %s of an enumeration has fields", ctor.Name)
			}
		}
	case abi.Variant:
		for _, ctor := range t.Ctors {
			if len(ctor.Fields) > 0 {
				c.fields(ctor.Fields, ctor.Size)
			} else if uint64(ctor.Static)+4 > uint64(c.m.Pages)*abi.PageSize {
				c.fail("the cell of %s lies outside of the memory", ctor.Name)
			}
		}
	default:
		c.fail("there is no kind %d", t.Kind)
	}
}

// tree checks a Map or a Set: what it holds, and that its node is a Variant of
// two alternatives, the second with size, key, value (of a Map), left and right.
func (c *checker) tree(t *abi.Type) {
	fields := 4
	if t.Kind == abi.Map {
		c.id("key", t.Key)
		fields = 5
	}
	c.id("element", t.Elem)
	if !c.id("node", t.Node) {
		return
	}
	node := &c.m.Schema.Types[t.Node]
	if node.Kind != abi.Variant || len(node.Ctors) != 2 || len(node.Ctors[abi.NodeTip].Fields) != 0 || len(node.Ctors[abi.NodeBin].Fields) != fields {
		c.fail("the type %d is no node of such a tree", t.Node)
	}
}

func (c *checker) fields(fields []abi.Field, size uint32) {
	for _, f := range fields {
		if c.id(f.Name, f.Type) && uint64(f.Offset)+4 > uint64(size) {
			c.fail("the field %s lies outside of the %d bytes", f.Name, size)
		}
	}
}

// wrappers checks that every chain of wrappers ends, and, since it needs that,
// that fields lie where their values fit.
func (c *checker) wrappers() {
	for i := range c.m.Schema.Types {
		c.where = fmt.Sprintf("type %d (%s)", i, c.m.Schema.Types[i].Name)
		id := abi.TypeID(i)
		for range maxWrappers {
			if c.m.Schema.Types[id].Kind != abi.Wrapper {
				break
			}
			id = c.m.Schema.Types[id].Elem
		}
		if c.m.Schema.Types[id].Kind == abi.Wrapper {
			c.fail("wrappers wrap each other more than %d deep", maxWrappers)
			return
		}
	}
	for i := range c.m.Schema.Types {
		t := &c.m.Schema.Types[i]
		c.where = fmt.Sprintf("type %d (%s)", i, t.Name)
		c.fit(t.Fields, t.Size)
		for _, ctor := range t.Ctors {
			c.fit(ctor.Fields, ctor.Size)
		}
	}
}

func (c *checker) fit(fields []abi.Field, size uint32) {
	for _, f := range fields {
		n := c.m.Schema.Val(f.Type).Size()
		if uint64(f.Offset)+uint64(n) > uint64(size) || f.Offset%n != 0 {
			c.fail("the field %s of %d bytes does not fit at %d of %d bytes", f.Name, n, f.Offset, size)
		}
	}
}
