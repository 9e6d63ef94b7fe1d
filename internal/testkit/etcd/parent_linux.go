package etcd

import "syscall"

// endWithParent ends a member when the test's process dies without doing so.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
