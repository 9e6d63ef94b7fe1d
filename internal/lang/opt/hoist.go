package opt

import "towpath.dev/internal/lang/ir"

func hoistPass(c *context, f *ir.Func) {}
