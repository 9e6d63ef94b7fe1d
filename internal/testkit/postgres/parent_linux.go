package postgres

import "syscall"

// endWithParent stops the server when the test's process dies without doing so:
// by its fast shutdown, which ends its children as well.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
