//go:build unix && !solo

package main

import "syscall"

// replaceProcess has an executable go on as this process: with its number, so that whoever looks after it
// sees nothing end. It returns when that fails.
func replaceProcess(file string, args, env []string) error { return syscall.Exec(file, args, env) }
