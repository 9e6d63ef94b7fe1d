//go:build !solo

// tow release keygen: a key that signs.

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/release"
)

func releaseKeygenCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key that signs releases, snapshots or trust policies",
		Long: `Make an Ed25519 key in FILE, which nobody but its owner can read, and its public half in
FILE.pub, and print the public half as a trust policy has it. Root keys, which sign
policies, stay off all machines until they are needed.`,
		Example: "  tow release keygen ci.key\n  tow release keygen /mnt/usb/root.key",
		Args:    exactly("a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := release.GenerateKey(args[0])
			if err != nil {
				return err
			}
			text, err := s.Public().MarshalText()
			if err != nil {
				return err
			}
			fmt.Fprintf(u.err, "The key %s is in %s, and its public half in %s.pub and here:\n", s.KeyID().Short(), args[0], args[0])
			_, err = fmt.Fprintf(u.out, "%s\n", text)
			return err
		},
	}
}
