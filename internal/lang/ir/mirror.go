package ir

// opposites pairs each comparison with the one that holds when it does not. Of
// those of floats only equality has one, because of NaN.
var opposites = pairs(
	I32Eq, I32Ne, I32LtS, I32GeS, I32LtU, I32GeU, I32GtS, I32LeS, I32GtU, I32LeU,
	F64Eq, F64Ne, I64Eq, I64Ne, I64LtS, I64GeS, I64LtU, I64GeU, I64GtS, I64LeS, I64GtU, I64LeU,
)

// mirrors pairs each operator with the one that means the same with its
// operands exchanged. Sums and products of floats have none: which NaN they
// leave depends on the order.
var mirrors = pairs(
	I32Eq, I32Eq, I32Ne, I32Ne, I32Add, I32Add, I32Mul, I32Mul, I32And, I32And, I32Or, I32Or, I32Xor, I32Xor,
	I64Eq, I64Eq, I64Ne, I64Ne, I64Add, I64Add, I64Mul, I64Mul, I64And, I64And, I64Or, I64Or, I64Xor, I64Xor,
	F64Eq, F64Eq, F64Ne, F64Ne, F64Lt, F64Gt, F64Le, F64Ge,
	I32LtS, I32GtS, I32LtU, I32GtU, I32LeS, I32GeS, I32LeU, I32GeU,
	I64LtS, I64GtS, I64LtU, I64GtU, I64LeS, I64GeS, I64LeU, I64GeU,
)

func pairs(ops ...Op) (table [opCount]Op) {
	for i := 0; i < len(ops); i += 2 {
		table[ops[i]], table[ops[i+1]] = ops[i+1], ops[i]
	}
	return table
}

// Opposite is the comparison that holds when o does not, NoOp if there is none.
func (o Op) Opposite() Op { return opposites[o] }

// Mirror is the operator that leaves for y, x what o leaves for x, y, NoOp if
// there is none.
func (o Op) Mirror() Op { return mirrors[o] }

// Compares reports that the operator leaves 0 or 1.
func (o Op) Compares() bool {
	return o >= I32Eqz && o <= I32GeU || o >= I64Eqz && o <= I64GeU || o >= F64Eq && o <= F64Ge
}
