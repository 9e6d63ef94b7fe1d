// Package report prints measures with their bars as a table.
package report

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"text/tabwriter"
)

// Row is a line of the table.
type Row struct {
	Name  string
	Value string // what was measured
	Ratio float64
	Bar   float64 // Ratio is at most this, or at least with Least
	Least bool
	Note  string // why there is nothing, or what to know
}

// OK reports whether the bar is cleared.
func (r *Row) OK() bool {
	if r.Least {
		return r.Ratio >= r.Bar
	}
	return r.Ratio <= r.Bar
}

// Group is rows that are measured together.
type Group struct {
	Name    string
	Measure func() ([]Row, error)
}

// Flags are what commands that print a table take.
type Flags struct {
	only  string
	check bool
}

// Register adds the flags to a set.
func (f *Flags) Register(flags *flag.FlagSet) {
	flags.StringVar(&f.only, "run", "", "measure only the groups whose name matches this regular `expression`")
	flags.BoolVar(&f.check, "check", false, "fail when a bar is missed")
}

// Print measures the groups and prints their rows.
func (f *Flags) Print(out io.Writer, groups []Group) error {
	pattern, err := regexp.Compile(f.only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "measure\tvalue\t\tbar\t\t")
	missed := false
	for _, g := range groups {
		if !pattern.MatchString(g.Name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", g.Name)
		rows, err := g.Measure()
		if err != nil {
			return errors.Join(table.Flush(), fmt.Errorf("%s: %w", g.Name, err))
		}
		for _, r := range rows {
			verdict, sign := "ok", "≤"
			if r.Least {
				sign = "≥"
			}
			switch {
			case r.Value == "":
				verdict = "-"
			case !r.OK():
				verdict, missed = "MISSED", true
			}
			fmt.Fprintf(table, "%s\t%s\t%.3g\t%s %g\t%s\t%s\n", r.Name, r.Value, r.Ratio, sign, r.Bar, verdict, r.Note)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if f.check && missed {
		return errors.New("a bar is missed")
	}
	return nil
}
