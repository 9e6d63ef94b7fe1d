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
			_, err := fmt.Fprintln(u.out, version())
			return err
		},
	}
}

// version is "tow 0.1.0 (go1.26.0, linux/amd64, commit 0123456789ab)".
func version() string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				commit = ", commit " + s.Value[:12]
			}
		}
	}
	return fmt.Sprintf("%s (%s, %s/%s%s)", compile.Toolchain, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
}
