// Package evalcase reads the archives of testdata/lang/eval: small programs with
// inputs, and what every machine that runs Tow must make of them.
//
// An archive's comment says what it shows. Its files ending in .tow are the
// project. A run of the view main.V is named by the files V.want.json (the
// answer), V.fault ("overflow main.tow:3:9": the kind and the place), V.failed
// (the operation and the place of a call that nothing guarded) or V.refused (an
// empty file: the input is not what the view takes), and V.input.json
// is its input, an object with a member a parameter; {} without. "V." may be left
// out of the view main.main. For all runs of the archive there are
//
//	options.json   {"now": "2026-01-31T09:30:00Z", "seed": 7, "gas": 1000, "depth": 10}
//	answers.json   {"Catalog.offers": [{"args": [1], "answer": []}, {"args": [2], "fails": "lost"}]}
//	verdicts.json  {"12": "expired"}: of the scopes that begin on that line of main.tow
//
// Calls without an answer fail; scopes without a verdict are live.
package evalcase

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing/fstest"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/testkit/txtar"
)

// Case is an archive.
type Case struct {
	Name    string // the file's, without .txtar
	Comment string
	Files   fs.FS // the project

	Now   int64 // nanoseconds since the Unix epoch
	Seed  int64
	Gas   int64 // 0: the default
	Depth int   // 0: the default

	Verdicts map[int]abi.Verdict // by line of main.tow
	Runs     []Run

	answers map[string][]answer
}

// Run is a view's input and how it must end: in one of the four ways.
type Run struct {
	View    string // without its module, main
	Input   []byte // JSON
	Want    []byte // JSON, compact
	Fault   string // "overflow main.tow:3:9"
	Failed  string // "Catalog.offers main.tow:3:9"
	Refused bool   // the input
}

type answer struct {
	Args   json.RawMessage `json:"args"`
	Answer json.RawMessage `json:"answer"`
	Fails  string          `json:"fails"`
}

// Load reads all archives of a folder, in order of their names.
func Load(dir string) ([]*Case, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var cases []*Case
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		c, err := Parse(strings.TrimSuffix(filepath.Base(path), ".txtar"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// Parse reads one archive.
func Parse(name, text string) (*Case, error) {
	archive := txtar.Parse(text)
	c := &Case{Name: name, Comment: archive.Comment, Verdicts: map[int]abi.Verdict{}}
	files, inputs := fstest.MapFS{}, map[string][]byte{}
	c.Files = files
	for _, f := range archive.Files {
		var err error
		view, kind := "main", f.Name
		if before, after, ok := strings.Cut(f.Name, "."); ok && !strings.HasSuffix(f.Name, ".tow") && before != "input" && before != "want" {
			view, kind = before, after
		}
		switch {
		case strings.HasSuffix(f.Name, ".tow"):
			files[f.Name] = &fstest.MapFile{Data: []byte(f.Text)}
		case f.Name == "options.json":
			err = c.readOptions(f.Text)
		case f.Name == "answers.json":
			err = json.Unmarshal([]byte(f.Text), &c.answers)
		case f.Name == "verdicts.json":
			err = c.readVerdicts(f.Text)
		case kind == "input.json":
			inputs[view] = []byte(f.Text)
		case kind == "want.json":
			var want bytes.Buffer
			err = json.Compact(&want, bytes.TrimSpace([]byte(f.Text)))
			c.Runs = append(c.Runs, Run{View: view, Want: want.Bytes()})
		case kind == "fault":
			c.Runs = append(c.Runs, Run{View: view, Fault: strings.TrimSpace(f.Text)})
		case kind == "failed":
			c.Runs = append(c.Runs, Run{View: view, Failed: strings.TrimSpace(f.Text)})
		case kind == "refused":
			c.Runs = append(c.Runs, Run{View: view, Refused: true})
		default:
			err = fmt.Errorf("the file's name means nothing")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	for i := range c.Runs {
		c.Runs[i].Input = []byte("{}")
		if input, ok := inputs[c.Runs[i].View]; ok {
			c.Runs[i].Input = input
			delete(inputs, c.Runs[i].View)
		}
	}
	for view := range inputs {
		return nil, fmt.Errorf("the input of %s has no want.json, fault, failed or refused beside it", view)
	}
	return c, nil
}

func (c *Case) readOptions(text string) error {
	var o struct {
		Now   time.Time
		Seed  int64
		Gas   int64
		Depth int
	}
	err := json.Unmarshal([]byte(text), &o)
	if !o.Now.IsZero() {
		c.Now = o.Now.UnixNano()
	}
	c.Seed, c.Gas, c.Depth = o.Seed, o.Gas, o.Depth
	return err
}

func (c *Case) readVerdicts(text string) error {
	var lines map[string]string
	if err := json.Unmarshal([]byte(text), &lines); err != nil {
		return err
	}
	names := map[string]abi.Verdict{"expired": abi.Expired, "shed": abi.Shed}
	for line, name := range lines {
		n, err := strconv.Atoi(line)
		verdict, ok := names[name]
		if err != nil || !ok {
			return fmt.Errorf("%q: %q is no line with a verdict", line, name)
		}
		c.Verdicts[n] = verdict
	}
	return nil
}

// Answer finds what a call is answered: operation is "Catalog.offers", args the
// JSON array of the arguments. It is JSON, or the reason why the call fails.
func (c *Case) Answer(operation string, args []byte) (answer []byte, fails error) {
	for _, a := range c.answers[operation] {
		var want bytes.Buffer
		if err := json.Compact(&want, a.Args); err != nil || !bytes.Equal(want.Bytes(), args) {
			continue
		}
		if a.Fails != "" {
			return nil, fmt.Errorf("%s", a.Fails)
		}
		return a.Answer, nil
	}
	return nil, fmt.Errorf("there is no answer for %s%s", operation, args)
}
