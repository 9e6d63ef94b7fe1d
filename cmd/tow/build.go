// tow build: a project becomes an artifact.

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/project"
)

func buildCommand(u *ui) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "build [DIR]",
		Short: "Compile a project to an artifact",
		Long: `Compile the project that the folder DIR lies in (default: the current one) to one
file: a WebAssembly module with a description of its views. The same sources
give the same bytes, on every machine. "tow inspect" shows what is in it.`,
		Example: "  tow build\n  tow build -o dist/shop.tow.wasm shop",
		Args:    atMost(1, "one folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			start := time.Now()
			p, err := project.Find(first(args, "."))
			if err != nil {
				return err
			}
			res, err := u.build(p)
			if err != nil {
				return err
			}
			if output == "-" {
				_, err := u.out.Write(res.Artifact)
				return err
			}
			if output == "" {
				output = p.Name + ".tow.wasm"
			}
			if err := os.WriteFile(output, res.Artifact, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(u.out, "%s: %s, %s, built in %s\n", output, size(len(res.Artifact)), count(len(res.Manifest.Views), "view"), time.Since(start).Round(time.Millisecond))
			if len(res.Manifest.Views) == 0 {
				fmt.Fprintln(u.err, "It has no views, so there is nothing to serve: declare one with \"view\" instead of \"fn\".")
			}
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write to the `FILE`, or to the output when it is \"-\" (default NAME.tow.wasm)")
	return c
}

// build compiles a project; its mistakes are printed.
func (u *ui) build(p *project.Project) (*compile.Result, error) {
	res, err := compile.Build(p.FS(), compile.Options{Name: p.Name})
	if err != nil {
		return nil, err
	}
	if res.Diags.HasErrors() {
		return nil, u.checked(u.err, p, res)
	}
	return res, nil
}
