//go:build !solo

// tow kv cas: a value, if nobody wrote another one meanwhile.

package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

func kvCASCommand(u *ui) *cobra.Command {
	k, ttl, at := &kvAsk{ui: u}, time.Duration(0), int64(0)
	c := &cobra.Command{
		Use:   "cas KEY VALUE --at REVISION",
		Short: "Write a key if it was last written at a revision",
		Long: `Compare and swap: write VALUE under KEY if the key was last written at REVISION; 0
means that it is absent. It prints the new revision. Where the key was written since,
it exits with 1 and says at which revision.`,
		Example: "  tow kv cas leader me --at 0\n" +
			"  tow kv cas counter 8 --at $(tow kv get counter --json | jq -r .modified)",
		Args: exactly("a key", "a value"),
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("at") {
				return usage{errors.New("tow kv cas needs --at REVISION: where the key was last written, or 0 if it is to be absent"), ""}
			}
			return k.put(c.Context(), args[0], args[1], ttl, &at)
		},
	}
	c.Flags().Int64Var(&at, "at", 0, "the `REVISION` that wrote the key last; 0: it is absent")
	c.Flags().DurationVar(&ttl, "ttl", 0, "let the key end after this `TIME` without another write (default: never)")
	k.writeFlags(c)
	return c
}
