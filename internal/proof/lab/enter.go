//go:build linux

// Package lab is a network of processes that can be broken: each host has a network
// namespace of its own, all hosts are on one bridge, and each may be cut off, or made deaf
// to another one, while its processes are killed or stopped.
//
// All of it is in a namespace of its own as well. When the process that made the lab
// ends, however it does, the kernel ends every process in it and forgets its network.
package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// Enter runs this program again, inside of a lab, with the given variables in its
// environment, and returns how it exited. Interrupts are passed on to it.
func Enter(arguments []string, environment ...string) (int, error) {
	// Who dies with a parent dies with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	inside := exec.Command("/proc/self/exe", arguments...)
	inside.Env = append(os.Environ(), environment...)
	inside.Stdin, inside.Stdout, inside.Stderr = os.Stdin, os.Stdout, os.Stderr
	inside.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		inside.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		inside.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		inside.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := inside.Start(); err != nil {
		return 0, fmt.Errorf("%w: %w; run it as root, or permit users to make namespaces", ErrNotPermitted, err)
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-interrupts:
				_ = inside.Process.Signal(s) // it may have ended
			case <-done:
				return
			}
		}
	}()
	err := inside.Wait()
	close(done)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// ErrNotPermitted says that there can be no lab here.
var ErrNotPermitted = errors.New("this system makes no network namespace for us")
