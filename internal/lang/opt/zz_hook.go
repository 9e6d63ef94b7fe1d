package opt

import "towpath.dev/internal/lang/ir"

// LocalGasForNow is for the lower package zz tests only; untracked.
func LocalGasForNow(m *ir.Module) { Module(m, Full) }
