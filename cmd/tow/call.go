// tow call: one request to a responder.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/client"
)

func callCommand(u *ui) *cobra.Command {
	q := &question{ui: u}
	c := &cobra.Command{
		Use:   "call PROGRAM/VIEW [FILE]",
		Short: "Ask a responder",
		Long: `Ask a view of a program that "tow dev" or "tow serve" serves, and print the answer.
The input is read from FILE, or from the standard input when FILE is "-" or left
out. With --timing show how the request went.`,
		Example: "  tow call featured-offer/featured.featured input.json\n" +
			"  echo '{\"n\": 2}' | tow call shop/rules.fee --at https://decisions.internal --token $TOKEN",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage{errors.New("tow call needs a view: PROGRAM/VIEW"), "tow call"}
			}
			return atMost(2, "a view and a file")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return q.run(c.Context(), args[0], first(args[1:], "-"))
		},
	}
	q.target(c)
	c.Flags().BoolVar(&q.timing, "timing", false, "show how the request went")
	return c
}

// target adds the flags that say whom to ask, and how.
func (q *question) target(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.at, "at", "http://127.0.0.1:7070", "ask the responder at `URL`")
	f.StringVar(&q.token, "token", os.Getenv("TOW_TOKEN"), "send the `TOKEN` (default: the variable TOW_TOKEN)")
	f.StringVar(&q.criticality, "criticality", "default", "critical, default, sheddable or bulk")
	f.DurationVar(&q.timeout, "timeout", 10*time.Second, "give up after this `TIME`")
	f.Lookup("token").DefValue = ""
}

// question says whom to ask.
type question struct {
	*ui
	at, token, criticality string
	timeout                time.Duration
	timing                 bool
}

// class reads the criticality, and refuses a timeout that leaves no time.
func (q *question) class() (client.Criticality, error) {
	if q.timeout <= 0 {
		return 0, usage{fmt.Errorf("--timeout %s: expected a time above zero", q.timeout), ""}
	}
	for c := client.Default; c <= client.Bulk; c++ {
		if c.String() == q.criticality {
			return c, nil
		}
	}
	return 0, usage{fmt.Errorf("--criticality %s: expected critical, default, sheddable or bulk", q.criticality), ""}
}

// viewAt splits PROGRAM/VIEW.
func viewAt(arg string) (program, view string, err error) {
	program, view, ok := strings.Cut(arg, "/")
	if !ok || program == "" || view == "" {
		return "", "", usage{fmt.Errorf("%q names no view of a program: expected PROGRAM/VIEW, as in shop/shipping.quote", arg), ""}
	}
	return program, view, nil
}

func (q *question) run(ctx context.Context, what, file string) error {
	program, view, err := viewAt(what)
	if err != nil {
		return err
	}
	class, err := q.class()
	if err != nil {
		return err
	}
	input, err := q.read(file)
	if err != nil {
		return err
	}
	c, err := client.New(q.at, client.Options{Token: q.token})
	if err != nil {
		return usage{err, "tow call"}
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	a, err := c.Do(ctx, client.Request{Program: program, View: view, Input: input, Criticality: class})
	var p *client.Problem
	switch {
	case errors.As(err, &p) && p.Status < 500:
		return wrong{p}
	case errors.As(err, &p):
		return p
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from %s within %s; --timeout gives it longer", q.at, q.timeout)
	case err != nil:
		var around *url.Error
		if errors.As(err, &around) {
			err = innermost(around.Err)
		}
		return fmt.Errorf("cannot ask %s: %w; is \"tow dev\" or \"tow serve\" running there?", q.at, err)
	}
	if q.timing {
		fmt.Fprintf(q.err, "request %s\n", a.Request)
		for _, entry := range outsideQuotes(a.Timing, ',') {
			fmt.Fprintf(q.err, "  %s\n", timingLine(entry))
		}
	}
	return (&running{ui: q.ui}).print(a.Output)
}

// outsideQuotes cuts a header's value at a separator where it stands in no quotes.
func outsideQuotes(text string, at byte) []string {
	quoted := false
	return strings.FieldsFunc(text, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return !quoted && c == rune(at)
	})
}

// timingLine is an entry of Server-Timing as a person reads it.
func timingLine(entry string) string {
	parts := outsideQuotes(strings.TrimSpace(entry), ';')
	line := fmt.Sprintf("%-24s", parts[0])
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "dur":
			line += fmt.Sprintf(" %10s ms", value)
		case "desc":
			line += "   " + strings.Trim(value, `"`)
		}
	}
	return strings.TrimRight(line, " ")
}

func (q *question) read(file string) ([]byte, error) {
	if file != "-" {
		return os.ReadFile(file)
	}
	if q.inTerminal {
		return nil, usage{errors.New("the input is missing: name a file, or write JSON to the standard input"), "tow call"}
	}
	return io.ReadAll(q.in)
}
