//go:build !solo

// tow trust: whose signatures are good.

package main

import "github.com/spf13/cobra"

func trustCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "Say whose releases nodes run",
		Long: `A trust policy says which keys may sign releases, for which programs and environments.
Root keys sign it, and each version replaces those before it. Without one any release
runs; once there is one, there is no way back to none.`,
		Example: "  tow trust sign policy.json --root root.key -o policy.signed\n" +
			"  tow release verify --env prod --policy policy.signed\n" +
			"  tow trust set policy.signed",
	}
	c.AddCommand(trustSignCommand(u), trustSetCommand(u), trustShowCommand(u))
	return c
}
