// tow run: one request, answered by the compiled program.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/project"
	"towpath.dev/internal/run/engine"
)

func runCommand(u *ui) *cobra.Command {
	r := &running{ui: u}
	c := &cobra.Command{
		Use:   "run MODULE.VIEW [FILE]",
		Short: "Answer one request",
		Long: `Compile the project, answer one request to a view, and print the answer as JSON.
The input is a JSON object with a member for each of the view's parameters; it
is read from FILE, or from the standard input when FILE is "-" or left out.

Calls to services are answered from a file of recorded answers:

  {
    "now": "2026-01-31T09:30:00Z",
    "seed": 1,
    "answers": [
      {"operation": "shipping.Customers.isMember", "args": ["ada"], "answer": true},
      {"operation": "shipping.Customers.isMember", "args": ["bob"], "fails": "no route"},
      {"operation": "shipping.Customers.isMember", "args": ["eve"], "expires": true}
    ]
  }

A call that the file does not answer is an error, which shows the entry to add.
No time passes while a request runs: a call that expires takes no longer than
another. Where neither the file nor a flag says so, "now" is the machine's
clock and the seed is 1.`,
		Example: "  tow run shipping.quote input.json --answers answers.json\n" +
			"  echo '{\"customer\": \"ada\", \"lines\": []}' | tow run shipping.quote --answers answers.json\n" +
			"  tow run --in shop --now 2026-12-24T18:00:00Z --seed 7 shipping.quote - < shop/input.json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage{errors.New("tow run needs a view: MODULE.VIEW"), "tow run"}
			}
			return atMost(2, "a view and a file")(c, args)
		},
		ValidArgsFunction: r.complete,
		RunE: func(c *cobra.Command, args []string) error {
			return r.run(c.Context(), args[0], first(args[1:], ""))
		},
	}
	c.Flags().StringVar(&r.answers, "answers", "", "answer calls from the `FILE`")
	c.Flags().StringVar(&r.now, "now", "", "the request's `INSTANT`, as in 2026-01-31T09:30:00Z")
	c.Flags().StringVar(&r.seed, "seed", "", "the request's seed, the whole number `N`")
	c.Flags().StringVar(&r.dir, "in", ".", "run the project in the folder `DIR`")
	return c
}

// running is one tow run.
type running struct {
	*ui
	answers, now, seed, dir string
}

func (r *running) run(ctx context.Context, name, file string) error {
	p, err := project.Find(r.dir)
	if err != nil {
		return err
	}
	res, err := r.build(p)
	if err != nil {
		return err
	}
	meta, err := findView(res.Manifest, name)
	if err != nil {
		return err
	}
	recorded, err := r.recorded(res.Manifest)
	if err != nil {
		return err
	}
	input, shown, err := r.input(res.Manifest, meta, file)
	if err != nil {
		return err
	}
	program, err := engine.Load(ctx, res.Artifact, engine.Options{
		Source: recorded, Clock: &stillClock{now: recorded.now}, Seed: func() int64 { return recorded.seed },
	})
	if err != nil {
		return err
	}
	defer program.Close(ctx)
	v, err := program.View(meta.QualifiedName())
	if err != nil {
		return err
	}
	var rec engine.Record
	answer, err := v.Do(ctx, nil, engine.Request{Input: input, Record: &rec})
	if missing := recorded.missing(); missing != nil {
		return wrong{missing}
	}
	if err != nil {
		return r.explain(err, res, &rec, shown)
	}
	return r.print(answer)
}

// recorded reads the answers, the clock and the seed.
func (r *running) recorded(m *artifact.Manifest) (*recorded, error) {
	rec, err := readAnswers(m, r.answers)
	if err != nil {
		return nil, err
	}
	if r.now != "" {
		t, err := time.Parse(time.RFC3339Nano, r.now)
		if err != nil {
			return nil, usage{fmt.Errorf("--now %s is no instant; write it as in 2026-01-31T09:30:00Z", r.now), "tow run"}
		}
		rec.now = t
	}
	if r.seed != "" {
		if _, err := fmt.Sscanf(r.seed+"\n", "%d\n", &rec.seed); err != nil {
			return nil, usage{fmt.Errorf("--seed %s is no whole number of 64 bits", r.seed), "tow run"}
		}
	}
	return rec, nil
}

// findView finds a view by its qualified name, or by its name where one module
// alone has it.
func findView(m *artifact.Manifest, name string) (*artifact.View, error) {
	var found []*artifact.View
	var names []string
	for i := range m.Views {
		v := &m.Views[i]
		names = append(names, v.QualifiedName())
		if v.QualifiedName() == name {
			return v, nil
		}
		if v.Name == name {
			found = append(found, v)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("several modules have a view %q; write %s", name, quotedList(names, "or"))
	case len(names) == 0:
		return nil, errors.New("the program has no views: declare one with \"view\" instead of \"fn\"")
	}
	return nil, fmt.Errorf("there is no view %q; there is %s", name, quotedList(names, "and"))
}

// input reads the request's input, and gives the name by which errors call it.
func (r *running) input(m *artifact.Manifest, v *artifact.View, file string) (text []byte, shown string, err error) {
	if file != "" && file != "-" {
		text, err = os.ReadFile(file)
		return r.notEmpty(m, v, text, file, err)
	}
	if len(m.Schema.Types[v.Input].Fields) == 0 && r.inTerminal {
		return []byte("{}"), "the input", nil
	}
	if file == "" && r.inTerminal {
		return nil, "", usage{fmt.Errorf("%s needs an input: name a file, or write JSON to the standard input, such as\n\n  %s",
			v.QualifiedName(), jsonschema.Example(&m.Schema, v.Input)), "tow run"}
	}
	text, err = io.ReadAll(r.in)
	return r.notEmpty(m, v, text, "the input", err)
}

// notEmpty refuses an input without any text.
func (r *running) notEmpty(m *artifact.Manifest, v *artifact.View, text []byte, shown string, err error) ([]byte, string, error) {
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		if len(m.Schema.Types[v.Input].Fields) == 0 {
			return []byte("{}"), shown, nil
		}
		return nil, "", wrong{fmt.Errorf("%s is empty; %s takes JSON such as\n\n  %s", shown, v.QualifiedName(), jsonschema.Example(&m.Schema, v.Input))}
	}
	return text, shown, err
}

// print prints an answer, on lines of its own for a person.
func (r *running) print(answer []byte) error {
	var b bytes.Buffer
	if !r.outTerminal || json.Indent(&b, answer, "", "  ") != nil {
		b.Reset()
		b.Write(answer)
	}
	b.WriteByte('\n')
	_, err := r.out.Write(b.Bytes())
	return err
}

// explain prints why a request has no answer.
func (r *running) explain(err error, res *compile.Result, rec *engine.Record, shown string) error {
	var bad *engine.InputError
	var fault *engine.Fault
	var call *engine.CallError
	d := &diag.Diagnostic{}
	switch {
	case errors.As(err, &bad):
		return wrong{badInput(bad, rec.Input, shown)}
	case errors.As(err, &fault):
		d = faultReport(fault, res, rec)
	case errors.As(err, &call) && call.Operation == "":
		d.Message = fmt.Sprintf("%s has no answer: %v", call.View, call.Err)
		d.At = placeIn(res, call.File, call.Line, call.Col)
		d.Note(span.Span{}, "an `else` would stand in")
	case errors.As(err, &call):
		return wrong{fmt.Errorf("%s has no answer: %s(%s) failed (%w), and no `else` stands in for it",
			call.View, call.Operation, short(bytes.Trim([]byte(call.Args), "[]")), call.Err)}
	default:
		return wrong{err}
	}
	r.diagnostics([]*diag.Diagnostic{d})
	return errWrong
}

// faultReport tells of a fault: what the program did, where, called by whom,
// with which inputs.
func faultReport(fault *engine.Fault, res *compile.Result, rec *engine.Record) *diag.Diagnostic {
	d := &diag.Diagnostic{Message: fault.Kind.String(), At: placeIn(res, fault.File, fault.Line, fault.Col)}
	detail := fault.Detail
	var told *interp.Fault
	if fault.Kind != abi.OutOfMemory {
		told = retell(res, rec)
	}
	switch same := told != nil && told.Kind == fault.Kind && told.At.IsValid(); {
	case same && (fault.Kind != abi.OutOfGas || told.At.String() == fmt.Sprintf("%s:%d:%d", fault.File, fault.Line, fault.Col)):
		d.At, detail = told.Own(), or(told.Detail, detail)
		d.Notes = stackNotes(told.Stack)
	default:
		for i, name := range fault.Stack {
			d.Note(span.Span{}, "%s %s", calling(i), name)
		}
	}
	switch {
	case detail != "":
		d.Message += ": " + detail
	case fault.Kind == abi.OutOfGas:
		d.Message += fmt.Sprintf(": all %d units are spent", interp.DefaultGas)
	case fault.Kind == abi.TooDeep:
		d.Message += fmt.Sprintf(": %d calls of recursive functions nest", interp.DefaultDepth)
	case fault.Kind == abi.OutOfMemory:
		d.Message += fmt.Sprintf(": a request may take %s", size(int(res.Manifest.Pages)*abi.PageSize))
	}
	return d.Note(span.Span{}, "the input was %s", short(rec.Input))
}

func calling(i int) string {
	if i == 0 {
		return "in"
	}
	return "called by"
}

// stackNotes names the functions that a fault ended, innermost first, and where
// they stood. Of a deep recursion it leaves out the middle.
func stackNotes(stack []interp.Frame) []diag.Note {
	const inner, outer = 8, 4
	var notes []diag.Note
	for i, f := range stack {
		name := "a lambda in "
		if !f.Lambda {
			name = ""
		}
		if f.Func != nil {
			name += f.Func.QualifiedName()
		}
		hidden := len(stack) - inner - outer
		switch {
		case hidden > 1 && i == inner:
			notes = append(notes, diag.Note{Text: fmt.Sprintf("… and %d more calls between", hidden)})
		case hidden > 1 && i > inner && i < inner+hidden:
		default:
			notes = append(notes, diag.Note{Text: fmt.Sprintf("%s %s, %s", calling(i), name, f.At)})
		}
	}
	return notes
}

// badInput says where in the input, by line and column, and what was expected.
func badInput(bad *engine.InputError, input []byte, shown string) error {
	var at *codec.Error
	if !errors.As(bad.Err, &at) {
		return fmt.Errorf("%s does not fit %s: %w", shown, bad.View, bad.Err)
	}
	line, column := span.NewFile(shown, input).Position(at.Offset)
	if at.Path == "$" && at.Expected == bad.View {
		// The input has no type that the user ever named.
		return fmt.Errorf("%s:%d:%d: %s does not take this input: expected an object with a member for each of its parameters, found %s",
			shown, line, column, bad.View, at.Found)
	}
	return fmt.Errorf("%s:%d:%d: %s does not take this input: at %s: expected %s, found %s",
		shown, line, column, bad.View, at.Path, at.Expected, at.Found)
}

func placeIn(res *compile.Result, file string, line, column int) span.Span {
	f, ok := res.Files[file]
	if !ok || line < 1 {
		return span.Span{}
	}
	source := f.Source
	start := source.LineStart(line)
	text := []rune(string(source.Line(line)))
	start += len(string(text[:min(max(column-1, 0), len(text))]))
	return source.Span(start, start)
}

// short is a JSON text on one line, shortened.
func short(text []byte) string {
	const most = 200
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		b.Reset()
		b.Write(text)
	}
	if b.Len() > most {
		return strings.ToValidUTF8(b.String()[:most], "") + "…"
	}
	return b.String()
}

// complete offers the project's views.
func (r *running) complete(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // a file
	}
	p, err := project.Find(r.dir)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	res, err := compile.Check(p.FS(), compile.Options{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	for _, v := range viewsOf(res) {
		doc, _, _ := strings.Cut(v.Doc, "\n")
		out = append(out, cobra.CompletionWithDesc(v.QualifiedName(), doc))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// stillClock stands still while a view computes, and leaps to the next deadline
// when a request waits for nothing else.
type stillClock struct{ now time.Time }

func (c *stillClock) Now() time.Time { return c.now }

func (c *stillClock) After(d time.Duration) (<-chan time.Time, func() bool) {
	c.now = c.now.Add(d)
	fired := make(chan time.Time, 1)
	fired <- c.now
	return fired, func() bool { return false }
}
