// tow check: every mistake at once.

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/project"
)

func checkCommand(u *ui) *cobra.Command {
	var asJSON, probe bool
	var env string
	c := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Report every mistake in a project",
		Long: `Read and check all modules of the project that the folder DIR lies in (default:
the current one), and report every mistake at once. "tow explain CODE" says more
about a mistake's code. Warnings alone are no failure.

With --env NAME check too that the environment, the file env/NAME.toml, answers
every service that is called, without asking anyone; with --probe ask its sources
whether they are there and have what is asked of them.

With --json each mistake is one JSON object on a line of the output, with file,
line, column, endLine, endColumn (from 1, columns in characters), code,
severity, message, and where there are any expected, found, notes and fix.`,
		Example: "  tow check\n  tow check --env prod --probe\n  tow check --json market | jq .message",
		Args:    atMost(1, "one folder"),
		RunE: func(c *cobra.Command, args []string) error {
			if env == "" && c.Flags().Changed("env") {
				return usage{errors.New("--env needs the environment's name"), "tow check"}
			}
			if probe && env == "" {
				return usage{errors.New("--probe asks the sources of an environment: name one with --env"), "tow check"}
			}
			p, err := project.Find(first(args, "."))
			if err != nil {
				return err
			}
			// Build, as the later stages find mistakes too.
			res, err := compile.Build(p.FS(), compile.Options{Name: p.Name})
			if err != nil {
				return err
			}
			if asJSON {
				if err := diag.JSON(u.out, res.Diags.All, 0); err != nil {
					return err
				}
				if err := mistaken(res); err != nil || env == "" {
					return err
				}
			} else if err := u.checked(u.out, p, res); err != nil || env == "" {
				return err
			}
			return u.checkEnv(c.Context(), p, res.Manifest, env, probe, asJSON)
		},
	}
	c.Flags().StringVar(&env, "env", "", "check the environment `NAME` too")
	c.Flags().BoolVar(&probe, "probe", false, "ask the environment's sources whether they are there")
	c.Flags().BoolVar(&asJSON, "json", false, "print mistakes as JSON, one object a line")
	return c
}

func first(args []string, otherwise string) string {
	if len(args) > 0 {
		return args[0]
	}
	return otherwise
}

// mistaken is errWrong when a project has errors.
func mistaken(res *compile.Result) error {
	if res.Diags.HasErrors() {
		return errWrong
	}
	return nil
}

// checked prints what a check found and what it came to; the line for a project
// without errors goes to fine.
func (u *ui) checked(fine io.Writer, p *project.Project, res *compile.Result) error {
	u.diagnostics(res.Diags.All)
	mistakes, warnings := 0, 0
	for _, d := range res.Diags.All {
		if d.Severity == diag.Error {
			mistakes++
		} else {
			warnings++
		}
	}
	if len(res.Diags.All) > 0 {
		fmt.Fprintln(u.err)
	}
	files := count(len(res.Files), "file")
	switch {
	case mistakes > 0 && warnings > 0:
		fmt.Fprintf(u.err, "%s: %s and %s in %s\n", p.Name, count(mistakes, "error"), count(warnings, "warning"), files)
	case mistakes > 0:
		fmt.Fprintf(u.err, "%s: %s in %s\n", p.Name, count(mistakes, "error"), files)
	case len(res.Files) == 0:
		fmt.Fprintf(fine, "%s: no .tow files in %s\n", p.Name, p.Root)
	default:
		fmt.Fprintf(fine, "%s: %s\n", p.Name, strings.Join(inventory(res, warnings), ", "))
	}
	return mistaken(res)
}

// inventory says what a project without errors has.
func inventory(res *compile.Result, warnings int) []string {
	tests := 0
	for _, m := range ownModules(res) {
		tests += len(m.Tests)
	}
	what := []string{count(len(res.Files), "file"), count(len(viewsOf(res)), "view"), count(tests, "test")}
	if warnings > 0 {
		return append(what, count(warnings, "warning"))
	}
	return append(what, "no mistakes")
}

// ownModules are the project's modules, without the standard library's.
func ownModules(res *compile.Result) []*core.Module {
	return slices.DeleteFunc(slices.Clone(res.Program.Modules), func(m *core.Module) bool {
		return strings.HasPrefix(m.Path, "std/")
	})
}

func viewsOf(res *compile.Result) []*core.Func {
	var out []*core.Func
	for _, m := range ownModules(res) {
		for _, f := range m.Funcs {
			if f.Kind == core.View {
				out = append(out, f)
			}
		}
	}
	return out
}
