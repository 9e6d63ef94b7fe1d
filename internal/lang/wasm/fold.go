package wasm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// folder turns the instructions of one function, which work on a stack, into
// trees: an instruction takes the trees that left its operands. Where a
// statement stands between an operand and the instruction that takes it, the
// operand is written as a statement, which the text format allows.
type folder struct {
	*printer
	code    reader
	results int // of the function
	depth   int // of blocks
	blocks  []int
	opened  int  // blocks so far
	closing byte // what closed the last block: End, Else, or 0: the code's end
}

// maxDepth bounds how deep blocks may nest.
const maxDepth = 1000

// block reads instructions until the end (or the else) of the block that they
// stand in; label is its number, 0 of the function's body.
func (f *folder) block(label int) []*node {
	if f.depth++; f.depth > maxDepth && f.code.err == nil {
		f.code.err = fmt.Errorf("blocks nest deeper than %d", maxDepth)
	}
	f.blocks = append(f.blocks, label)
	s := &stack{}
	f.closing = 0
	for f.closing == 0 && len(f.code.b) > 0 && f.code.err == nil {
		if op := f.code.byte(); op == End || op == Else {
			f.closing = op
		} else {
			f.instruction(op, s)
		}
	}
	f.blocks = f.blocks[:len(f.blocks)-1]
	f.depth--
	return append(s.done, s.values...)
}

// stack is what a block has so far: statements, then values that nothing took.
type stack struct{ done, values []*node }

// push adds an instruction that takes n operands and leaves a value or none.
func (s *stack) push(head string, n int, value bool) *node {
	x := &node{head: head}
	s.add(x, n, value)
	return x
}

// maxFold is how deep operands are folded.
const maxFold = 100

func (s *stack) add(x *node, n int, value bool) {
	at := max(0, len(s.values)-n)
	for _, v := range s.values[at:] {
		x.depth = max(x.depth, v.depth+1)
	}
	if x.depth > maxFold {
		s.done, s.values = append(s.done, s.values...), nil
		x.depth, at = 0, 0
	}
	x.kids = append(append([]*node(nil), s.values[at:]...), x.kids...)
	s.values = s.values[:at]
	if value {
		s.values = append(s.values, x)
		return
	}
	s.done = append(append(s.done, s.values...), x)
	s.values = nil
}

func (f *folder) instruction(op byte, s *stack) {
	switch {
	case op == opBlock || op == opLoop || op == opIf:
		f.structured(op, s)
	case op >= I32Load && op <= I64Store32:
		f.access(op, s)
	case op >= I32Eqz && int(op-I32Eqz) < len(operators):
		o := operators[op-I32Eqz]
		s.push(o, arity(o), true)
	case op == prefixFC:
		f.prefixed(s)
	default:
		f.plain(op, s)
	}
}

// plain reads the instructions of control, variables and constants.
func (f *folder) plain(op byte, s *stack) {
	c := &f.code
	switch op {
	case Unreachable:
		s.push("unreachable", 0, false)
	case Br:
		s.push("br "+f.label(c.u32()), 0, false)
	case BrIf:
		s.push("br_if "+f.label(c.u32()), 1, false)
	case opBrTable:
		var head strings.Builder
		head.WriteString("br_table")
		c.each(func() { head.WriteString(" " + f.label(c.u32())) })
		s.push(head.String()+" "+f.label(c.u32()), 1, false)
	case Return:
		s.push("return", f.results, false)
	case opCall:
		f.call(s)
	case Drop:
		s.push("drop", 1, false)
	case Select:
		s.push("select", 3, true)
	case LocalGet:
		s.push(numbered("local.get", c.u32()), 0, true)
	case LocalSet:
		s.push(numbered("local.set", c.u32()), 1, false)
	case LocalTee:
		s.push(numbered("local.tee", c.u32()), 1, true)
	case GlobalGet:
		s.push("global.get "+f.global(c.u32()), 0, true)
	case GlobalSet:
		s.push("global.set "+f.global(c.u32()), 1, false)
	case opI32Const:
		s.push("i32.const "+literal(I32, uint64(c.sleb())), 0, true)
	case opI64Const:
		s.push("i64.const "+literal(I64, uint64(c.sleb())), 0, true)
	case opF64Const:
		s.push("f64.const "+literal(F64, c.f64()), 0, true)
	default:
		c.err = fmt.Errorf("the instruction %#x", op)
	}
}

// structured reads a block, a loop or a conditional.
func (f *folder) structured(op byte, s *stack) {
	result, value := "", f.code.byte()
	if value != 0x40 {
		result = " (result " + ValType(value).String() + ")"
	}
	f.opened++
	label := f.opened
	x := &node{body: true}
	n := 0
	switch op {
	case opBlock:
		x.head = fmt.Sprintf("block $%d%s", label, result)
		x.kids = f.block(label)
	case opLoop:
		x.head = fmt.Sprintf("loop $%d%s", label, result)
		x.kids = f.block(label)
	default:
		n = 1
		x.head = fmt.Sprintf("if $%d%s", label, result)
		x.kids = []*node{{head: "then", body: true, kids: f.block(label)}}
		if f.closing == Else {
			x.kids = append(x.kids, &node{head: "else", body: true, kids: f.block(label)})
		}
		x.body = len(x.kids) > 1 || len(x.kids[0].kids) > 1
	}
	if f.closing != End && f.code.err == nil {
		f.code.err = fmt.Errorf("a block without an end")
	}
	f.closing = 0
	s.add(x, n, value != 0x40)
}

func (f *folder) label(depth uint32) string {
	i := len(f.blocks) - 1 - int(depth)
	switch {
	case i < 0:
		f.code.err = fmt.Errorf("a branch out of the function")
		return ""
	case i == 0:
		return strconv.Itoa(int(depth)) // the function's body has no label
	}
	return fmt.Sprintf("$%d", f.blocks[i])
}

func (f *folder) call(s *stack) {
	i := int(f.code.u32())
	if i >= len(f.names) {
		f.code.err = fmt.Errorf("a call of function %d", i)
		return
	}
	t := FuncType{}
	if i < len(f.m.Imports) {
		t = f.m.Imports[i].Type
	} else {
		t = f.m.Funcs[i-len(f.m.Imports)].Type
	}
	s.push("call "+f.names[i], len(t.Params), len(t.Results) > 0)
}

func (f *folder) global(i uint32) string {
	if int(i) >= len(f.globals) {
		f.code.err = fmt.Errorf("there is no global %d", i)
		return ""
	}
	return f.globals[i]
}

func numbered(head string, i uint32) string { return head + " " + strconv.FormatUint(uint64(i), 10) }

// access reads a load or a store.
func (f *folder) access(op byte, s *stack) {
	a := accesses[op-I32Load]
	head := a.name
	align, offset := f.code.u32(), f.code.u32()
	if offset != 0 {
		head += fmt.Sprintf(" offset=%d", offset)
	}
	if align > 4 {
		f.code.err = fmt.Errorf("an alignment of 2^%d", align)
	} else if align != a.align {
		head += fmt.Sprintf(" align=%d", 1<<align)
	}
	if op < I32Store {
		s.push(head, 1, true)
	} else {
		s.push(head, 2, false)
	}
}

// prefixed reads the instructions of two bytes.
func (f *folder) prefixed(s *stack) {
	switch sub := f.code.u32(); {
	case int(sub) < len(saturating):
		s.push(saturating[sub], 1, true)
	case sub == fcMemoryCopy:
		f.code.want(0, "a second memory")
		f.code.want(0, "a second memory")
		s.push("memory.copy", 3, false)
	case sub == fcMemoryCopy+1:
		f.code.want(0, "a second memory")
		s.push("memory.fill", 3, false)
	default:
		f.code.err = fmt.Errorf("the instruction 0xfc %d", sub)
	}
}

// literal is a constant by its bits.
func literal(t ValType, bits uint64) string {
	switch t {
	case I32:
		return strconv.FormatInt(int64(int32(bits)), 10)
	case I64:
		return strconv.FormatInt(int64(bits), 10)
	}
	sign := ""
	if bits>>63 != 0 {
		sign = "-"
	}
	switch x := math.Float64frombits(bits); {
	case math.IsNaN(x):
		return fmt.Sprintf("%snan:%#x", sign, bits&(1<<52-1))
	case math.IsInf(x, 0):
		return sign + "inf"
	default:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
}
