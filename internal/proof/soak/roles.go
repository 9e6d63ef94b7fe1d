//go:build linux

package soak

import (
	"context"
	"io"
	"net"
	"os"

	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/register"
)

// registerOptions are what the register's process needs to know.
type registerOptions struct {
	Address string
	Log     string
	Guarded bool
}

// inputEnds ends the context when the input does: then the run is over.
func inputEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

func runMember(o cluster.MemberOptions) error { return cluster.RunMember(inputEnds(), o) }

func runRegister(o registerOptions) error {
	s, err := register.Open(o.Log, o.Guarded)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(inputEnds(), func() { l.Close() })()
	return s.Serve(l)
}
