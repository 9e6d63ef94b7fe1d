// tow new: a project to begin with.

package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"towpath.dev/internal/project"
)

func newCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Write a project that works",
		Long: `Write a project of that name into a new folder. It has a module with a view,
a service and tests, an input and recorded answers to run it with, and passes
"tow check" and "tow test" as it is.

NAME may be a path, as in "tow new work/shop"; its last part names the project:
small letters, digits and hyphens.`,
		Example: "  tow new shop",
		Args:    exactly("the new project's name"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := args[0]
			written, err := project.New(dir, filepath.Base(dir))
			if errors.Is(err, project.ErrNotEmpty) {
				return fmt.Errorf("%w; choose another name, or empty the folder first", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(u.out, "Wrote %s:\n\n", dir)
			for _, name := range written {
				fmt.Fprintf(u.out, "  %s\n", filepath.Join(dir, name))
			}
			fmt.Fprintf(u.out, `
Next:

  cd %s
  tow test
  tow run shipping.quote input.json --answers answers.json
  tow dev
`, dir)
			return nil
		},
	}
}
