package ir

// Op is a WebAssembly operator on one or two operands.
type Op uint8

// The operators, by WebAssembly's names.
const (
	NoOp Op = iota

	I32Eqz
	I32Eq
	I32Ne
	I32LtS
	I32LtU
	I32GtS
	I32GtU
	I32LeS
	I32LeU
	I32GeS
	I32GeU
	I32Add
	I32Sub
	I32Mul
	I32And
	I32Or
	I32Xor
	I32Shl
	I32ShrS
	I32ShrU
	I32DivU
	I32RemU
	I32WrapI64

	I64Eqz
	I64Eq
	I64Ne
	I64LtS
	I64LtU
	I64GtS
	I64GtU
	I64LeS
	I64LeU
	I64GeS
	I64GeU
	I64Add
	I64Sub
	I64Mul
	I64DivS
	I64DivU
	I64RemS
	I64RemU
	I64And
	I64Or
	I64Xor
	I64Shl
	I64ShrS
	I64ShrU
	I64Clz
	I64Ctz
	I64Popcnt
	I64ExtendI32S
	I64ExtendI32U
	I64TruncSatF64S

	F64Eq
	F64Ne
	F64Lt
	F64Gt
	F64Le
	F64Ge
	F64Add
	F64Sub
	F64Mul
	F64Div
	F64Neg
	F64Abs
	F64Sqrt
	F64Floor
	F64Ceil
	F64Trunc
	F64Nearest
	F64Min
	F64Max
	F64Copysign
	F64ConvertI64S
	F64ReinterpretI64
	I64ReinterpretF64

	opCount
)

// opInfo says what an operator takes and leaves. code is its encoding: one
// byte, or 0xfc00|sub for the saturating truncation.
type opInfo struct {
	name    string
	code    uint16
	operand Type
	result  Type
	arity   int
}

var ops = [opCount]opInfo{
	I32Eqz: {"i32.eqz", 0x45, I32, I32, 1}, I32Eq: {"i32.eq", 0x46, I32, I32, 2}, I32Ne: {"i32.ne", 0x47, I32, I32, 2},
	I32LtS: {"i32.lt_s", 0x48, I32, I32, 2}, I32LtU: {"i32.lt_u", 0x49, I32, I32, 2},
	I32GtS: {"i32.gt_s", 0x4a, I32, I32, 2}, I32GtU: {"i32.gt_u", 0x4b, I32, I32, 2},
	I32LeS: {"i32.le_s", 0x4c, I32, I32, 2}, I32LeU: {"i32.le_u", 0x4d, I32, I32, 2},
	I32GeS: {"i32.ge_s", 0x4e, I32, I32, 2}, I32GeU: {"i32.ge_u", 0x4f, I32, I32, 2},
	I32Add: {"i32.add", 0x6a, I32, I32, 2}, I32Sub: {"i32.sub", 0x6b, I32, I32, 2}, I32Mul: {"i32.mul", 0x6c, I32, I32, 2},
	I32DivU: {"i32.div_u", 0x6e, I32, I32, 2}, I32RemU: {"i32.rem_u", 0x70, I32, I32, 2},
	I32And: {"i32.and", 0x71, I32, I32, 2}, I32Or: {"i32.or", 0x72, I32, I32, 2}, I32Xor: {"i32.xor", 0x73, I32, I32, 2},
	I32Shl: {"i32.shl", 0x74, I32, I32, 2}, I32ShrS: {"i32.shr_s", 0x75, I32, I32, 2}, I32ShrU: {"i32.shr_u", 0x76, I32, I32, 2},
	I32WrapI64: {"i32.wrap_i64", 0xa7, I64, I32, 1},

	I64Eqz: {"i64.eqz", 0x50, I64, I32, 1}, I64Eq: {"i64.eq", 0x51, I64, I32, 2}, I64Ne: {"i64.ne", 0x52, I64, I32, 2},
	I64LtS: {"i64.lt_s", 0x53, I64, I32, 2}, I64LtU: {"i64.lt_u", 0x54, I64, I32, 2},
	I64GtS: {"i64.gt_s", 0x55, I64, I32, 2}, I64GtU: {"i64.gt_u", 0x56, I64, I32, 2},
	I64LeS: {"i64.le_s", 0x57, I64, I32, 2}, I64LeU: {"i64.le_u", 0x58, I64, I32, 2},
	I64GeS: {"i64.ge_s", 0x59, I64, I32, 2}, I64GeU: {"i64.ge_u", 0x5a, I64, I32, 2},
	I64Clz: {"i64.clz", 0x79, I64, I64, 1}, I64Ctz: {"i64.ctz", 0x7a, I64, I64, 1}, I64Popcnt: {"i64.popcnt", 0x7b, I64, I64, 1},
	I64Add: {"i64.add", 0x7c, I64, I64, 2}, I64Sub: {"i64.sub", 0x7d, I64, I64, 2}, I64Mul: {"i64.mul", 0x7e, I64, I64, 2},
	I64DivS: {"i64.div_s", 0x7f, I64, I64, 2}, I64DivU: {"i64.div_u", 0x80, I64, I64, 2},
	I64RemS: {"i64.rem_s", 0x81, I64, I64, 2}, I64RemU: {"i64.rem_u", 0x82, I64, I64, 2},
	I64And: {"i64.and", 0x83, I64, I64, 2}, I64Or: {"i64.or", 0x84, I64, I64, 2}, I64Xor: {"i64.xor", 0x85, I64, I64, 2},
	I64Shl: {"i64.shl", 0x86, I64, I64, 2}, I64ShrS: {"i64.shr_s", 0x87, I64, I64, 2}, I64ShrU: {"i64.shr_u", 0x88, I64, I64, 2},
	I64ExtendI32S: {"i64.extend_i32_s", 0xac, I32, I64, 1}, I64ExtendI32U: {"i64.extend_i32_u", 0xad, I32, I64, 1},
	I64TruncSatF64S:   {"i64.trunc_sat_f64_s", 0xfc06, F64, I64, 1},
	I64ReinterpretF64: {"i64.reinterpret_f64", 0xbd, F64, I64, 1},

	F64Eq: {"f64.eq", 0x61, F64, I32, 2}, F64Ne: {"f64.ne", 0x62, F64, I32, 2}, F64Lt: {"f64.lt", 0x63, F64, I32, 2},
	F64Gt: {"f64.gt", 0x64, F64, I32, 2}, F64Le: {"f64.le", 0x65, F64, I32, 2}, F64Ge: {"f64.ge", 0x66, F64, I32, 2},
	F64Abs: {"f64.abs", 0x99, F64, F64, 1}, F64Neg: {"f64.neg", 0x9a, F64, F64, 1}, F64Ceil: {"f64.ceil", 0x9b, F64, F64, 1},
	F64Floor: {"f64.floor", 0x9c, F64, F64, 1}, F64Trunc: {"f64.trunc", 0x9d, F64, F64, 1}, F64Nearest: {"f64.nearest", 0x9e, F64, F64, 1},
	F64Sqrt: {"f64.sqrt", 0x9f, F64, F64, 1}, F64Add: {"f64.add", 0xa0, F64, F64, 2}, F64Sub: {"f64.sub", 0xa1, F64, F64, 2},
	F64Mul: {"f64.mul", 0xa2, F64, F64, 2}, F64Div: {"f64.div", 0xa3, F64, F64, 2}, F64Min: {"f64.min", 0xa4, F64, F64, 2},
	F64Max: {"f64.max", 0xa5, F64, F64, 2}, F64Copysign: {"f64.copysign", 0xa6, F64, F64, 2},
	F64ConvertI64S:    {"f64.convert_i64_s", 0xb9, I64, F64, 1},
	F64ReinterpretI64: {"f64.reinterpret_i64", 0xbf, I64, F64, 1},
}

// String is WebAssembly's name of the operator.
func (o Op) String() string { return ops[o].name }

// Code is the operator's encoding: one byte, or 0xfc00 and a sub-opcode.
func (o Op) Code() uint16 { return ops[o].code }

// Operand is the type of the operands, Result of what is left.
func (o Op) Operand() Type { return ops[o].operand }

// Result is the type of what the operator leaves.
func (o Op) Result() Type { return ops[o].result }

// Arity is 1 or 2.
func (o Op) Arity() int { return ops[o].arity }

// OpNamed is the operator with that name of WebAssembly's.
func OpNamed(name string) (Op, bool) {
	for o := NoOp + 1; o < opCount; o++ {
		if ops[o].name == name {
			return o, true
		}
	}
	return NoOp, false
}
