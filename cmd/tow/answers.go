// A file of recorded answers, and a source that answers from it.

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

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/run/engine"
)

// answersFile is the file's JSON.
type answersFile struct {
	Now     *time.Time    `json:"now"`
	Seed    *int64        `json:"seed"`
	Answers []answerEntry `json:"answers"`
}

// answerEntry is what became of one call: an answer, or that it failed or never
// came.
type answerEntry struct {
	Operation string            `json:"operation"`
	Args      []json.RawMessage `json:"args"`
	Answer    json.RawMessage   `json:"answer,omitempty"`
	Fails     string            `json:"fails,omitempty"`
	Expires   bool              `json:"expires,omitempty"`
}

// recorded answers calls from a file. Its Ask is called from one goroutine.
type recorded struct {
	manifest *artifact.Manifest
	canon    *codec.Canon
	file     string // "" without one
	now      time.Time
	seed     int64
	answers  map[string]*answerEntry // by operation and canonical arguments

	asked   map[string]bool
	unknown []answerEntry // calls that the file does not answer
}

// readAnswers reads a file of answers; without a file there are none.
func readAnswers(m *artifact.Manifest, file string) (*recorded, error) {
	r := &recorded{manifest: m, file: file, now: time.Now(), seed: 1, answers: map[string]*answerEntry{}, asked: map[string]bool{}}
	var err error
	if r.canon, err = codec.NewCanon(&m.Schema, m.HeapBase); err != nil || file == "" {
		return r, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var content answersFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&content); err != nil {
		return nil, wrong{placedJSON(file, text, err)}
	}
	if end := decoder.InputOffset(); len(bytes.TrimSpace(text[end:])) > 0 {
		end += int64(len(text[end:]) - len(bytes.TrimLeft(text[end:], " \t\r\n")))
		return nil, wrong{fmt.Errorf("%s: something stands behind the end of the JSON", at(file, text, end))}
	}
	if content.Now != nil {
		r.now = *content.Now
	}
	if content.Seed != nil {
		r.seed = *content.Seed
	}
	for i := range content.Answers {
		if err := r.add(&content.Answers[i]); err != nil {
			return nil, wrong{fmt.Errorf("%s: answers[%d]: %w", file, i, err)}
		}
	}
	return r, nil
}

// placedJSON gives an error of encoding/json its line and column.
func placedJSON(file string, text []byte, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the JSON ends too early", at(file, text, int64(len(text))))
	case errors.As(err, &kind):
		what := or(kind.Field, "the file")
		return fmt.Errorf("%s: %s is %s, not %s", at(file, text, kind.Offset), what, jsonKind(kind.Type.Kind().String()), jsonKind(kind.Value))
	case errors.As(err, new(*time.ParseError)):
		return fmt.Errorf("%s: now is no instant; write it as in 2026-01-31T09:30:00Z", file)
	}
	message := strings.TrimPrefix(err.Error(), "json: ")
	if offset < 0 {
		return fmt.Errorf("%s: %s", file, message)
	}
	return fmt.Errorf("%s: %s", at(file, text, offset), message)
}

// jsonKind names what encoding/json says of a value, or package reflect of what
// it is decoded to.
func jsonKind(name string) string {
	switch name {
	case "array", "slice":
		return "an array"
	case "object", "struct":
		return "an object"
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "int64":
		return "a whole number of 64 bits"
	}
	return "a " + name // "number", "number 1.5"
}

func at(file string, text []byte, offset int64) string {
	line, column := span.NewFile(file, text).Position(int(offset))
	return fmt.Sprintf("%s:%d:%d", file, line, column)
}

// add takes an entry, if it says one thing and fits the program's types.
func (r *recorded) add(e *answerEntry) error {
	op := r.operation(e.Operation)
	if op == nil {
		return fmt.Errorf("there is no operation %q; %s", e.Operation, r.operations())
	}
	said := 0
	for _, is := range []bool{e.Answer != nil, e.Fails != "", e.Expires} {
		if is {
			said++
		}
	}
	if said != 1 {
		return fmt.Errorf("an entry says one of \"answer\", \"fails\" (with a reason) and \"expires\" (true); this one says %d of them", said)
	}
	if n := len(r.manifest.Schema.Types[op.Args].Fields); len(e.Args) != n {
		return fmt.Errorf("%s takes %s, and \"args\" has %d", op.QualifiedName(), count(n, "argument"), len(e.Args))
	}
	args, err := r.canon.Args(op.Args, e.Args)
	if err != nil {
		return fmt.Errorf("\"args\" of %s: %w", op.QualifiedName(), err)
	}
	if e.Answer != nil {
		if err := r.canon.Check(op.Result, e.Answer); err != nil {
			return fmt.Errorf("the \"answer\" of %s: %w", op.QualifiedName(), err)
		}
	}
	key := e.Operation + string(args)
	if _, twice := r.answers[key]; twice {
		return fmt.Errorf("%s%s is answered twice", e.Operation, args)
	}
	r.answers[key] = e
	return nil
}

func (r *recorded) operation(name string) *artifact.Operation {
	for i := range r.manifest.Operations {
		if op := &r.manifest.Operations[i]; op.QualifiedName() == name {
			return op
		}
	}
	return nil
}

// operations says which there are.
func (r *recorded) operations() string {
	var names []string
	for i := range r.manifest.Operations {
		names = append(names, r.manifest.Operations[i].QualifiedName())
	}
	if len(names) == 0 {
		return "the program calls none"
	}
	return "there is " + quotedList(names, "and")
}

// Ask answers a batch from the file; it is part of engine.Source.
func (r *recorded) Ask(ctx context.Context, b *engine.Batch) {
	name := b.Operation.QualifiedName()
	for i := range b.Len() {
		e, ok := r.answers[name+string(b.Args(i))]
		switch {
		case !ok:
			r.miss(b.Operation, b.Args(i))
			b.Fail(i, errors.New("no recorded answer"))
		case e.Fails != "":
			b.Fail(i, errors.New(e.Fails))
		case e.Expires:
			if _, ends := ctx.Deadline(); !ends {
				b.Fail(i, errors.New("it would never expire: nothing around it says \"within\""))
			}
		default:
			b.Answer(i, bytes.Clone(e.Answer))
		}
	}
}

func (r *recorded) miss(op *artifact.Operation, args []byte) {
	key := op.QualifiedName() + string(args)
	if r.asked[key] {
		return
	}
	r.asked[key] = true
	e := answerEntry{Operation: op.QualifiedName(), Answer: jsonschema.Example(&r.manifest.Schema, op.Result)}
	if json.Unmarshal(args, &e.Args) == nil { // canonical arguments are a JSON array
		r.unknown = append(r.unknown, e)
	}
}

// missing is the error of calls that the file does not answer, with the entries
// to add; nil when there were none.
func (r *recorded) missing() error {
	if len(r.unknown) == 0 {
		return nil
	}
	var b strings.Builder
	what := "this call"
	if len(r.unknown) > 1 {
		what = fmt.Sprintf("these %d calls", len(r.unknown))
	}
	if r.file == "" {
		fmt.Fprintf(&b, "nothing answers %s; write a file with this, its answers put right, and name it with --answers:\n\n  {\"answers\": [\n", what)
	} else {
		fmt.Fprintf(&b, "%s does not answer %s; add to its \"answers\", put right:\n\n", r.file, what)
	}
	for i, e := range r.unknown {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		comma := ","
		if i == len(r.unknown)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, "    %s%s\n", text, comma)
	}
	if r.file == "" {
		b.WriteString("  ]}\n")
	}
	return errors.New(b.String())
}
