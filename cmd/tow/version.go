// tow version: which tow this is.

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/compile"
)

func versionCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print which tow this is",
		Long:    "Print the version of tow, the Go that it was built with, and the commit it was built from.",
		Example: "  tow version",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			commit := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" && len(s.Value) >= 12 {
						commit = ", commit " + s.Value[:12]
					}
				}
			}
			fmt.Fprintf(u.out, "%s (%s, %s/%s%s)\n", compile.Toolchain, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
			return nil
		},
	}
}
