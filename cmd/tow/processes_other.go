//go:build !unix

package main

import "os/exec"

// ownGroup does nothing: there are no process groups here.
func ownGroup(*exec.Cmd) {}

// endGroup ends a command.
func endGroup(cmd *exec.Cmd, _ bool) { _ = cmd.Process.Kill() }
