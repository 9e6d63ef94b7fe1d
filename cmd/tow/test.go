// tow test: the tests and properties in the modules.

package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/project"
	"towpath.dev/internal/tester"
)

func testCommand(u *ui) *cobra.Command {
	t := &testRun{ui: u}
	var pattern string
	c := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run a project's tests and properties",
		Long: `Check the project that the folder DIR lies in (default: the current one), then
run the tests and properties in its modules and say how many of each file's
lines they reached.

Of an expectation that does not hold, the values of its parts are shown; of a
property, the smallest counterexample that was found. A property's inputs come
from a seed: the same seed gives the same inputs, so that a failure can be had
again. Nothing outside is called: "given" stands in for services.

With --json each test is one JSON object on a line with "event" "test"; then
come the files' coverage, and a "summary".`,
		Example: "  tow test\n  tow test --run 'shipping: .*member' --verbose\n  tow test --watch\n  tow test --seed 7 --cases 10000",
		Args:    atMost(1, "one folder"),
		RunE: func(c *cobra.Command, args []string) error {
			if pattern != "" {
				re, err := regexp.Compile(pattern)
				if err != nil {
					return usage{fmt.Errorf("--run %s is no regular expression: %w", pattern, err), "tow test"}
				}
				t.options.Match = re
			}
			if t.options.Cases < 0 {
				return usage{errors.New("--cases cannot be negative"), "tow test"}
			}
			if t.options.Gas < 0 {
				return usage{errors.New("--gas cannot be negative"), "tow test"}
			}
			dir := first(args, ".")
			if t.watching {
				return t.watch(c.Context(), dir)
			}
			return t.once(dir)
		},
	}
	c.Flags().StringVar(&pattern, "run", "", "run only tests whose \"module: title\" matches the regular expression `RE`")
	c.Flags().Int64Var(&t.options.Seed, "seed", 0, "make properties' inputs from the seed `N` (default 1)")
	c.Flags().IntVar(&t.options.Cases, "cases", tester.DefaultCases, "try `N` inputs of each property")
	c.Flags().Int64Var(&t.options.Gas, "gas", tester.DefaultGas, "let each statement of a test spend `N` units of gas; a request has 50000000")
	c.Flags().BoolVarP(&t.verbose, "verbose", "v", false, "list the tests that pass too")
	c.Flags().BoolVar(&t.cover, "cover", false, "list the lines that no test reached")
	c.Flags().BoolVar(&t.asJSON, "json", false, "print results as JSON, one object a line")
	c.Flags().BoolVar(&t.watching, "watch", false, "run again whenever a file of the project changes, until interrupted")
	return c
}

// testRun is one tow test.
type testRun struct {
	*ui
	options                          tester.Options
	verbose, cover, asJSON, watching bool
}

// reporter shows results as they come.
type reporter interface {
	Result(*tester.Result) error
	Summary(*tester.Summary) error
}

// once checks the project and runs its tests.
func (t *testRun) once(dir string) error {
	p, err := project.Find(dir)
	if err != nil {
		return err
	}
	res, err := compile.Check(p.FS(), compile.Options{Name: p.Name})
	if err != nil {
		return err
	}
	if res.Diags.HasErrors() {
		if t.asJSON {
			if err := diag.JSON(t.out, res.Diags.All, 0); err != nil {
				return err
			}
			return errWrong
		}
		return t.checked(t.out, p, res)
	}
	return t.report(res)
}

func (t *testRun) report(res *compile.Result) error {
	var to reporter = &tester.Text{W: t.out, Style: tester.Style{Color: t.outColor, Verbose: t.verbose, Missing: t.cover}}
	if t.asJSON {
		to = &tester.JSON{W: t.out}
	}
	var broken error
	s := tester.Run(res.Program, t.options, func(r *tester.Result) {
		broken = errors.Join(broken, to.Result(r))
	})
	if err := errors.Join(broken, to.Summary(s)); err != nil {
		return err
	}
	switch {
	case s.Failed > 0:
		return errWrong
	case s.Passed == 0 && t.options.Match != nil:
		return fmt.Errorf("no test's \"module: title\" matches %s; there are %s", t.options.Match, count(s.Skipped, "test"))
	}
	return nil
}
