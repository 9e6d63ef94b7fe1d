// tow lsp: the editors' language server.

package main

import (
	"github.com/spf13/cobra"

	"towpath.dev/internal/lsp"
)

func lspCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "lsp",
		Short: "Serve an editor by the language server protocol",
		Long: `Serve an editor by the language server protocol on the input and the output:
mistakes as you type, types and documentation, definitions, completion,
renaming, symbols and formatting. Editors start it by themselves.`,
		Example: "  tow lsp",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return lsp.Serve(c.Context(), u.in, u.out)
		},
	}
	c.Flags().Bool("stdio", true, "what some editors say; nothing else can be done")
	_ = c.Flags().MarkHidden("stdio") // it exists, so that it cannot fail
	return c
}
