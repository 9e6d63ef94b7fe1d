//go:build !linux

package etcd

import "syscall"

func endWithParent(*syscall.SysProcAttr) {}
