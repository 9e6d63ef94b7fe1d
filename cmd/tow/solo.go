//go:build solo

// A tow without a control plane: without etcd and what it brings along it is built in half
// the time. For those who write programs and try them.

package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var clusterCommands []func(*ui) *cobra.Command

// roles has no flags: there is no cluster to be of.
type roles struct{}

func (s *serving) roleFlags(*pflag.FlagSet) {}

// args refuses to serve nothing.
func (s *serving) args(programs []string) error {
	if len(programs) == 0 {
		return usage{errors.New("tow serve needs a program: an artifact, or a project's folder"), "tow serve"}
	}
	return nil
}

func (s *serving) start(c *cobra.Command, programs []string) error {
	return s.run(c.Context(), programs)
}
