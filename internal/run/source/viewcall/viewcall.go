// Package viewcall answers calls by the views of other programs in the same
// process.
//
//	[sources.pricing]
//	type = "view"
//	program = "pricing"          # a program that is served here
//
//	[services.Pricing]
//	source = "pricing"
//	lowest = { view = "quotes.lowest" }   # the operation's name, unless said
//
// Parameters are handed on by their names. Which release of the program answers
// is its own matter: it is looked up at each call.
package viewcall

import (
	"context"
	"fmt"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// Programs finds the programs that are served in this process.
type Programs interface {
	// Answer answers a request to a view of a program: a JSON object in, JSON out.
	Answer(ctx context.Context, program, view string, input []byte, about source.About) ([]byte, error)
}

// Source is a program.
type Source struct {
	programs Programs
	name     string
}

// Open reads a source's settings.
func Open(t *settings.Table, programs Programs) *Source {
	s := &Source{programs: programs, name: t.Required("program")}
	if programs == nil {
		t.Errorf("", "programs cannot ask each other here: bind `%s` to another type of source", t.Name())
	}
	return s
}

// Bind makes the Caller of an operation.
func (s *Source) Bind(op source.Operation) source.Caller {
	return &caller{s, op.Settings.Text("view", op.Meta.Name), op.Params()}
}

// Probe finds nothing wrong: programs come and go while others run.
func (s *Source) Probe(context.Context, []source.Caller) error { return nil }

// Close has nothing to free.
func (s *Source) Close() error { return nil }

type caller struct {
	source *Source
	view   string
	params []string
}

// Call answers the calls side by side: a view waits for calls of its own.
func (c *caller) Call(ctx context.Context, b *source.Batch, done func(int, []byte, error)) {
	left := make(chan struct{}, len(b.Args))
	for i := range b.Args {
		go func() {
			answer, err := c.one(ctx, b.Args[i], b.About)
			done(i, answer, err)
			left <- struct{}{}
		}()
	}
	for range b.Args {
		<-left
	}
}

func (c *caller) one(ctx context.Context, args []byte, about source.About) ([]byte, error) {
	parts, err := source.Split(args)
	if err != nil {
		return nil, err
	}
	input := []byte{'{'}
	for i, p := range parts {
		if i > 0 {
			input = append(input, ',')
		}
		input = append(fmt.Appendf(input, "%q:", c.params[i]), p...)
	}
	answer, err := c.source.programs.Answer(ctx, c.source.name, c.view, append(input, '}'), about)
	if err != nil {
		kind := source.KindOf(err)
		return nil, &source.Error{Kind: kind, Message: fmt.Sprintf("%s of the program %s: %v", c.view, c.source.name, err), Err: err}
	}
	return answer, nil
}
