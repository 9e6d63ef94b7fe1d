package wasm

import "encoding/binary"

// The instructions that are not mere operators on the stack.
const (
	Unreachable = 0x00
	opBlock     = 0x02
	opLoop      = 0x03
	opIf        = 0x04
	Else        = 0x05
	End         = 0x0b
	Br          = 0x0c
	BrIf        = 0x0d
	opBrTable   = 0x0e
	Return      = 0x0f
	opCall      = 0x10
	Drop        = 0x1a
	Select      = 0x1b
	LocalGet    = 0x20
	LocalSet    = 0x21
	LocalTee    = 0x22
	GlobalGet   = 0x23
	GlobalSet   = 0x24

	I32Load    = 0x28
	I64Load    = 0x29
	F64Load    = 0x2b
	I32Load8U  = 0x2d
	I64Load8U  = 0x31
	I64Load32U = 0x35
	I32Store   = 0x36
	I64Store   = 0x37
	F64Store   = 0x39
	I32Store8  = 0x3a
	I64Store8  = 0x3c
	I64Store32 = 0x3e

	opI32Const = 0x41
	opI64Const = 0x42
	opF64Const = 0x44

	I32Eqz = 0x45
	I32GtU = 0x4b
	I64LtS = 0x53
	I32Add = 0x6a
	I64Add = 0x7c
	I64Sub = 0x7d

	prefixFC     = 0xfc
	fcMemoryCopy = 10
)

// Code collects a function's instructions. The zero Code is empty.
type Code struct {
	b []byte
	// set is 1 + where the last instruction begins if it is a local.set, else 0.
	set int
}

// Bytes are the instructions so far, without a closing end.
func (c *Code) Bytes() []byte { return c.b }

// Op appends an instruction without operands of its own: one byte, or
// 0xfc00 and a sub-opcode.
func (c *Code) Op(op uint16) {
	c.set = 0
	if op>>8 == prefixFC {
		c.b = append(c.b, prefixFC)
		c.b = Uleb(c.b, uint64(op&0xff))
		return
	}
	c.b = append(c.b, byte(op))
}

// Local appends local.get, local.set or local.tee. A get right behind the set
// of the same local becomes a tee.
func (c *Code) Local(op byte, index int) {
	if op == LocalGet && c.set > 0 {
		at := c.set - 1
		if want := Uleb([]byte{LocalSet}, uint64(index)); string(want) == string(c.b[at:]) {
			c.b[at] = LocalTee
			c.set = 0
			return
		}
	}
	c.set = 0
	if op == LocalSet {
		c.set = len(c.b) + 1
	}
	c.b = Uleb(append(c.b, op), uint64(index))
}

// Global appends global.get or global.set.
func (c *Code) Global(op byte, index int) { c.index(op, index) }

// Call appends a call of a function by its number.
func (c *Code) Call(index int) { c.index(opCall, index) }

// Branch appends br or br_if to the depth-th block around it, from 0.
func (c *Code) Branch(op byte, depth int) { c.index(op, depth) }

func (c *Code) index(op byte, index int) {
	c.set = 0
	c.b = Uleb(append(c.b, op), uint64(index))
}

// BrTable appends br_table: depths by index, and the one for all others.
func (c *Code) BrTable(depths []int, other int) {
	c.index(opBrTable, len(depths))
	for _, d := range depths {
		c.b = Uleb(c.b, uint64(d))
	}
	c.b = Uleb(c.b, uint64(other))
}

// Block, Loop and If open a block that leaves nothing; IfValue one that leaves
// a value. Op(Else) and Op(End) continue and close it.
func (c *Code) Block() { c.open(opBlock, 0x40) }

// Loop opens a loop; see Block.
func (c *Code) Loop() { c.open(opLoop, 0x40) }

// If opens a conditional; see Block.
func (c *Code) If() { c.open(opIf, 0x40) }

// IfValue opens a conditional that leaves a t; see Block.
func (c *Code) IfValue(t ValType) { c.open(opIf, byte(t)) }

func (c *Code) open(op, result byte) {
	c.set = 0
	c.b = append(c.b, op, result)
}

// Mem appends a load or a store at a constant offset, with the alignment 2^align.
func (c *Code) Mem(op byte, align, offset uint32) {
	c.set = 0
	c.b = Uleb(append(c.b, op, byte(align)), uint64(offset))
}

// MemoryCopy appends memory.copy.
func (c *Code) MemoryCopy() {
	c.set = 0
	c.b = append(c.b, prefixFC, fcMemoryCopy, 0, 0)
}

// I32Const appends a constant.
func (c *Code) I32Const(n int32) {
	c.set = 0
	c.b = Sleb(append(c.b, opI32Const), int64(n))
}

// I64Const appends a constant.
func (c *Code) I64Const(n int64) {
	c.set = 0
	c.b = Sleb(append(c.b, opI64Const), n)
}

// F64Const appends a constant by its bits, so that any NaN can be said.
func (c *Code) F64Const(bits uint64) {
	c.set = 0
	c.b = binary.LittleEndian.AppendUint64(append(c.b, opF64Const), bits)
}
