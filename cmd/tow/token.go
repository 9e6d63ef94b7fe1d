// tow token: who may ask a responder.

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"towpath.dev/internal/run/serve"
)

func tokenCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token for a caller",
		Long: `Make a token by which the caller NAME is known to a responder. The token is shown
once, for the caller; what is printed for the responder's file does not give it
away.`,
		Example: "  tow token checkout",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("tow token needs one name"), "tow token"}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if name := args[0]; name == "" || len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
				return usage{fmt.Errorf("%q cannot name a caller: expected 1 to 64 visible characters of ASCII, without quotes and backslashes", name), "tow token"}
			}
			token, hash := serve.NewToken()
			fmt.Fprintf(u.out, "For %s, to be sent as \"Authorization: Bearer …\":\n\n  %s\n\nFor the responder's file of tokens:\n\n  [tokens]\n  %q = %q\n", args[0], token, args[0], hash)
			return nil
		},
	}
}
