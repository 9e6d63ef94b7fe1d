// tow version: which tow this is.

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/compile"
)

func versionCommand(u *ui) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "version",
		Short: "Print which tow this is",
		Long: `Print the version of tow, the Go that it was built with, and the commit it was built from.

With --json it prints one object, with the platform that it runs on and the memory
contract (ABI) of the artifacts that it serves as well: "tow fleet upgrade" goes by that.`,
		Example: "  tow version\n  tow version --json",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(u.out).Encode(thisTow())
			}
			_, err := fmt.Fprintln(u.out, version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// aboutTow is what a tow says of itself.
type aboutTow struct {
	Version  string `json:"version"`  // as a line
	Platform string `json:"platform"` // "linux/amd64"
	ABI      struct {
		Min int `json:"min"`
		Max int `json:"max"`
	} `json:"abi"` // of the artifacts that it serves
}

func thisTow() aboutTow {
	a := aboutTow{Version: version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	a.ABI.Min, a.ABI.Max = abi.Version, abi.Version
	return a
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
