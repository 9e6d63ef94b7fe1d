//go:build !solo

// tow backup keygen: a key for reading backups.

package main

import (
	"fmt"
	"os"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"
)

func backupKeygenCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key for reading encrypted backups",
		Long: `Make an age identity in a file, and print its recipient, which "tow backup run" takes as
--recipient. Make two: one to verify with, on the machine that uploads, and one to
restore with, which stays off all machines until it is needed. Files of age-keygen are
as good.`,
		Example: "  tow backup keygen verifier.key\n  tow backup keygen /mnt/usb/recovery.key",
		Args:    exactly("a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			// Not over a file that is there: it may be the only key to a backup.
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if os.IsExist(err) {
				return fmt.Errorf("%s is there already, and may be the only key to a backup: name another file", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(f, "# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), identity.Recipient(), identity)
			if err == nil {
				err = f.Sync()
			}
			if closing := f.Close(); err == nil {
				err = closing
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(u.out, identity.Recipient())
			return err
		},
	}
}
