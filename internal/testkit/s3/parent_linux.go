package s3

import "syscall"

// endWithParent stops the server when the test's process dies without doing so.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
