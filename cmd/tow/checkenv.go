// tow check --env: does an environment answer all that a project calls?

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/project"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// probeWithin bounds how long the sources of an environment may take to say that
// they are there.
const probeWithin = 10 * time.Second

// elsewhere stands for the programs that a responder will serve: those that an
// environment names may be served there.
type elsewhere struct{}

func (elsewhere) Answer(context.Context, string, string, []byte, source.About) ([]byte, error) {
	return nil, source.Errorf(source.Unreachable, "nothing is served here")
}

// checkEnv binds a project's calls, and with probe asks the sources.
func (u *ui) checkEnv(ctx context.Context, p *project.Project, m *artifact.Manifest, env string, probe, asJSON bool) error {
	e, err := bind.Read(p.Root, env)
	if err != nil {
		return u.mistakes("", err, asJSON)
	}
	b, err := e.Bind(m, bind.Options{Programs: elsewhere{}})
	if err != nil {
		return u.mistakes("", err, asJSON)
	}
	defer b.Close()
	if probe {
		ctx, cancel := context.WithTimeout(ctx, probeWithin)
		defer cancel()
		if err := b.Probe(ctx); err != nil {
			return u.mistakes("", err, asJSON)
		}
	}
	if !asJSON {
		said := "answers"
		if probe {
			said = "was asked and answers"
		}
		fmt.Fprintf(u.out, "%s: the environment %s %s %s\n", p.Name, env, said, count(len(m.Operations), "operation"))
	}
	return nil
}

// mistakes prints what is wrong with an environment, each mistake on a line, with
// the program that it is about where there may be several.
func (u *ui) mistakes(program string, err error, asJSON bool) error {
	var all []error
	var flatten func(error)
	flatten = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				flatten(e)
			}
			return
		}
		all = append(all, err)
	}
	flatten(err)
	said := map[string]bool{}
	for _, err := range all {
		if said[err.Error()] { // a source's mistake, once for each operation that asks it
			continue
		}
		said[err.Error()] = true
		if !asJSON {
			if program != "" {
				err = fmt.Errorf("%s: %w", program, err)
			}
			u.fail(err)
			continue
		}
		line := map[string]any{"severity": "error", "message": err.Error()}
		var m *settings.Mistake
		if errors.As(err, &m) {
			line = map[string]any{"severity": "error", "message": m.Message, "file": m.File, "line": m.Line, "column": m.Column}
		}
		if err := json.NewEncoder(u.out).Encode(line); err != nil {
			return err
		}
	}
	return errWrong
}
