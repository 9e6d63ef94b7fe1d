package opt

import "towpath.dev/internal/lang/ir"

func LocalGasForNow(m *ir.Module) { localGas(m) }
