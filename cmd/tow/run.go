// The root of the command line: what it prints alone, how its commands hang
// together, and how an error becomes an exit code.

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"towpath.dev/internal/project"
)

// The exit codes.
const (
	exitFine  = 0
	exitWrong = 1 // the user's program, its tests or its input are at fault
	exitUsage = 2 // tow could not do what it was asked to
)

// errWrong ends a command with exitWrong. What is wrong was said already.
var errWrong = errors.New("the program is at fault")

// wrong is an error that ends a command with exitWrong once it is printed.
type wrong struct{ error }

func (e wrong) Unwrap() error { return e.error }

// usage is a mistake in a command line; its end says where help is.
type usage struct {
	error
	command string // "tow check"
}

// commands are the subcommands, in the order in which help lists them.
var commands = []func(*ui) *cobra.Command{
	newCommand, importCommand, devCommand, checkCommand, testCommand, runCommand, fmtCommand, buildCommand,
	serveCommand, callCommand, loadCommand, tokenCommand,
	explainRequestCommand, replayCommand, inspectCommand, explainCommand, lspCommand, versionCommand,
}

const overview = `tow writes, tests and serves programs in Tow, the language for decisions on the
hot path.

Begin with

  tow new shop && cd shop     a project that works
  tow check                   every mistake at once
  tow test                    its tests and properties
  tow run shipping.quote input.json --answers answers.json
  tow dev                     it answers HTTP, and is read again as you save

`

// inOrder has commands listed as they are added. That is a variable of cobra's, and tests run
// several command lines at once.
var inOrder = sync.OnceFunc(func() { cobra.EnableCommandSorting = false })

// run executes a command line and gives the exit code.
func run(args []string, u *ui) int {
	root := rootCommand(u)
	root.SetArgs(longFlags(root, args))
	root.SetIn(u.in)
	root.SetOut(u.out)
	root.SetErr(u.err)
	command, err := root.ExecuteC()
	var w wrong
	var use usage
	var invalid *project.Invalid
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errWrong):
		return exitWrong
	case errors.As(err, &invalid):
		u.fail(err)
		return exitWrong
	case errors.As(err, &w):
		u.fail(w.error)
		return exitWrong
	case errors.As(err, &use):
		u.fail(use.error)
		fmt.Fprintf(u.err, "\"%s --help\" shows what can be said.\n", or(use.command, command.CommandPath()))
		return exitUsage
	}
	u.fail(err)
	return exitUsage
}

func rootCommand(u *ui) *cobra.Command {
	root := &cobra.Command{
		Use:           "tow",
		Short:         "Write, test and serve programs in Tow",
		Long:          strings.TrimSpace(overview),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			fmt.Fprint(u.out, overview)
			fmt.Fprint(u.out, "Commands\n\n")
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() || sub.Name() == "help" {
					fmt.Fprintf(u.out, "  %-16s %s\n", sub.Name(), sub.Short)
				}
			}
			fmt.Fprint(u.out, "\n\"tow help COMMAND\" shows more about one of them.\n")
			return nil
		},
	}
	root.Version = version()
	root.SetVersionTemplate("{{.Version}}\n")
	inOrder()
	for _, command := range slices.Concat(commands, clusterCommands) {
		root.AddCommand(command(u))
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usageTemplate)
	root.InitDefaultVersionFlag()
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.HasSubCommands() && !c.Runnable() {
			needsSubcommand(c)
		}
	}
	return root
}

// helpCommand is cobra's, but it refuses a command that is not there.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				if len(args) == 0 && c.IsAvailableCommand() && strings.HasPrefix(c.Name(), begun) {
					out = append(out, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || c == root && len(rest) > 0 {
				return unknownCommand(root, args[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// needsSubcommand makes a command that does nothing alone print its help, and
// refuse a subcommand that is not there.
func needsSubcommand(c *cobra.Command) {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage{fmt.Errorf("%s has no %q; there is %s", c.CommandPath(), args[0], quotedList(names, "and")), c.CommandPath()}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// usageTemplate is cobra's, with what is to be typed first.
const usageTemplate = `Usage
  {{.UseLine}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`

func unknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2
	message := fmt.Sprintf("there is no command %q", name)
	if near := root.SuggestionsFor(name); len(near) > 0 {
		message += "; did you mean " + quotedList(near, "or") + "?"
	} else if strings.HasSuffix(name, ".tow") {
		message += "; to run a view: tow run MODULE.VIEW"
	}
	return usage{errors.New(message), "tow"}
}

// longFlags lets long flags be written with one dash too, as "-json": it gives
// them their second dash, which pflag insists on.
func longFlags(root *cobra.Command, args []string) []string {
	long, short := map[string]bool{"help": true}, map[byte]bool{'h': true}
	var know func(*cobra.Command)
	know = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			long[f.Name] = true
			if f.Shorthand != "" {
				short[f.Shorthand[0]] = true
			}
		})
		for _, sub := range c.Commands() {
			know(sub)
		}
	}
	know(root)
	out := slices.Clone(args)
	for i, arg := range out {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if len(name) < 2 || arg[0] != '-' || arg[1] == '-' || arg[1] >= '0' && arg[1] <= '9' { // a number below zero is a value
			continue
		}
		if long[name] || !short[name[0]] {
			out[i] = "-" + arg
		}
	}
	return out
}

// flagError is a mistake in a command's flags, with the flag that was meant.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		flag := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			flag = flag[1:]
		}
		message := fmt.Sprintf("%s has no flag %s", c.CommandPath(), flag)
		var near []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if distance(f.Name, unknown.GetSpecifiedName()) <= 2 && !f.Hidden {
				near = append(near, "--"+f.Name)
			}
		})
		if len(near) > 0 {
			message += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usage{errors.New(message), c.CommandPath()}
	}
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) {
		what, _ := pflag.UnquoteUsage(missing.GetFlag())
		return usage{fmt.Errorf("%s: --%s needs its %s", c.CommandPath(), missing.GetFlag().Name, what), c.CommandPath()}
	}
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		kind := map[string]string{"int": "a whole number", "int64": "a whole number of 64 bits", "bool": "true or false",
			"float64": "a number", "duration": "a time, as 500ms, 10s or 1m30s"}[bad.GetFlag().Value.Type()]
		return usage{fmt.Errorf("%s: --%s takes %s, not %q", c.CommandPath(), bad.GetFlag().Name, or(kind, "another value"), bad.GetValue()), c.CommandPath()}
	}
	return usage{fmt.Errorf("%s: %w", c.CommandPath(), err), c.CommandPath()}
}

// distance is how many letters have to be changed, added or left out to make
// one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// atMost refuses more than n arguments, and says what they would be.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usage{fmt.Errorf("%s takes at most %s, and %q is one too many", c.CommandPath(), what, args[n]), c.CommandPath()}
		}
		return nil
	}
}

// exactly wants the arguments that are named.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usage{fmt.Errorf("%s needs %s", c.CommandPath(), names[len(args)]), c.CommandPath()}
		}
		if len(args) > len(names) {
			most := "nothing"
			if len(names) > 0 {
				most = "no more than " + strings.Join(names, " and ")
			}
			return usage{fmt.Errorf("%s takes %s, and %q is one too many", c.CommandPath(), most, args[len(names)]), c.CommandPath()}
		}
		return nil
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
