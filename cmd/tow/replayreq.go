// tow replay: a recorded request, answered again.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/project"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/record"
)

func replayCommand(u *ui) *cobra.Command {
	r := &replaying{archive: archive{ui: u}, kept: map[string]*record.Replayer{}}
	c := &cobra.Command{
		Use:   "replay ID|FILE",
		Short: "Answer a recorded request again",
		Long: `Answer a request again that "tow dev" or "tow serve" recorded, with the answers
that its calls had, at its instant: by its ID, from the records, or from a FILE
with one. No service is asked. It is answered by the artifact that it was recorded
on, which is looked for in "artifacts" beside the records; with --against by
another, and the two are compared.

What is shown is whether the answer is the same, else the places where it is not;
a call that the record has no answer to; a fault, and where. Values that a program
marks @private have stand-ins in records: equal ones where they were equal.

With --all every recorded request is replayed, the newest first, or as many as
--view, --since and --limit leave. It exits with 1 when one differs.`,
		Example: "  tow replay 4bf92f3577b34da6a3ce929d0e0e4736\n" +
			"  tow replay --against . 4bf92f3577b34da6a3ce929d0e0e4736\n" +
			"  tow replay --all --since 24h --against dist/shop.tow.wasm\n" +
			"  tow replay --json --artifact shop.tow.wasm request.json",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case r.all && len(args) > 0:
				return usage{fmt.Errorf("tow replay --all replays all of them; leave out %q, or --all", args[0]), "tow replay"}
			case !r.all && len(args) == 0:
				return usage{errors.New("tow replay needs a request: its ID, a FILE, or --all"), "tow replay"}
			}
			return atMost(1, "an ID or a file")(c, args)
		},
		ValidArgsFunction: r.complete,
		RunE: func(c *cobra.Command, args []string) error {
			defer r.close(c.Context())
			return r.run(c.Context(), first(args, ""))
		},
	}
	f := c.Flags()
	r.flag(c)
	f.StringVar(&r.artifact, "artifact", "", "the artifact that the request was recorded on is the `FILE`")
	f.StringVar(&r.against, "against", "", "compare with the artifact `FILE`, or the project in that folder")
	f.BoolVar(&r.all, "all", false, "replay all recorded requests")
	f.StringVar(&r.view, "view", "", "with --all: only those to the view `NAME`")
	f.StringVar(&r.since, "since", "", "with --all: only those since the `TIME`, 24h ago or 2026-01-31T09:30:00Z")
	f.IntVar(&r.limit, "limit", 0, "with --all: only the `N` newest")
	f.BoolVar(&r.json, "json", false, "print it as one JSON object")
	return c
}

// maxDiffering is how many requests that differ are shown.
const maxDiffering = 20

// replaying is one tow replay.
type replaying struct {
	archive
	artifact, against, view, since string
	all, json                      bool
	limit                          int

	programs []*engine.Program           // to be closed
	kept     map[string]*record.Replayer // by artifact; nil where it is not kept
	other    *record.Replayer            // --against
	sources  *compile.Result             // of it, when it is a project
}

// replayed is what tow replay says of a request.
type replayed struct {
	ID       string         `json:"id,omitempty"`
	View     string         `json:"view"`
	Begin    time.Time      `json:"begin,omitzero"`
	Outcome  record.Outcome `json:"outcome,omitempty"`
	Artifact string         `json:"artifact"`
	Redacted int            `json:"redacted"`
	*record.Comparison
}

func (r *replaying) run(ctx context.Context, what string) error {
	if r.against != "" {
		if err := r.loadOther(ctx); err != nil {
			return err
		}
	}
	if r.artifact != "" {
		data, err := os.ReadFile(r.artifact)
		if err != nil {
			return err
		}
		if _, err := r.load(ctx, data); err != nil {
			return fmt.Errorf("%s: %w", r.artifact, err)
		}
	}
	if r.all {
		return r.runAll(ctx)
	}
	e, err := r.find(what)
	if err != nil {
		return err
	}
	done, err := r.replay(ctx, e)
	if err != nil {
		return err
	}
	if r.json {
		if err := r.encode(done); err != nil {
			return err
		}
	} else {
		r.text(e, done)
	}
	switch {
	case done.Skipped != "":
		return fmt.Errorf("this request cannot be compared: %s", done.Skipped)
	case !done.Same:
		return errWrong
	}
	return nil
}

// load makes a program ready to replay on. A replay may take its time.
func (r *replaying) load(ctx context.Context, data []byte) (*record.Replayer, error) {
	p, err := engine.Load(ctx, data, engine.Options{CPU: time.Minute})
	if err != nil {
		return nil, err
	}
	r.programs = append(r.programs, p)
	replayer, err := record.NewReplayer(p)
	if err == nil {
		r.kept[p.Hash()] = replayer
	}
	return replayer, err
}

func (r *replaying) close(ctx context.Context) {
	for _, p := range r.programs {
		_ = p.Close(context.WithoutCancel(ctx)) // no request is under way
	}
}

// loadOther loads what to compare with: an artifact, or a project.
func (r *replaying) loadOther(ctx context.Context) error {
	info, err := os.Stat(r.against)
	if err != nil {
		return err
	}
	var data []byte
	if info.IsDir() {
		p, err := project.Find(r.against)
		if err != nil {
			return err
		}
		if r.sources, err = r.build(p); err != nil {
			return err
		}
		data = r.sources.Artifact
	} else if data, err = os.ReadFile(r.against); err != nil {
		return err
	}
	if r.other, err = r.load(ctx, data); err != nil {
		return fmt.Errorf("%s: %w", r.against, err)
	}
	return nil
}

// own is the program that a request was recorded on; nil when it is not kept.
func (r *replaying) own(ctx context.Context, e *record.Entry) (*record.Replayer, error) {
	hash := e.Record.Artifact
	if known, ok := r.kept[hash]; ok {
		return known, nil
	}
	r.kept[hash] = nil
	dir, err := r.folder()
	if err != nil || filepath.Base(hash) != hash {
		return nil, nil // a record in a file, outside of any project
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "artifacts", hash+".wasm"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = r.load(ctx, data)
	return r.kept[hash], err
}

// replay compares a request with what comes of it now.
func (r *replaying) replay(ctx context.Context, e *record.Entry) (*replayed, error) {
	own, err := r.own(ctx, e)
	if err != nil {
		return nil, err
	}
	done := &replayed{ID: e.ID, View: e.Record.View, Begin: e.Begin, Outcome: e.Outcome, Artifact: e.Record.Artifact, Redacted: e.Redacted}
	if own == nil && r.other == nil {
		why := fmt.Sprintf("its artifact %.12s… is not kept beside the records; name it with --artifact, or another with --against", e.Record.Artifact)
		if r.artifact != "" {
			why = fmt.Sprintf("it is of the artifact %.12s…, which %s is not; --against compares with another", e.Record.Artifact, r.artifact)
		}
		done.Comparison = &record.Comparison{Skipped: why}
		return done, nil
	}
	done.Comparison, err = record.Compare(ctx, e, own, r.other)
	if err != nil && ctx.Err() == nil { // the view is gone
		was := record.Run{Output: e.Record.Output, Error: e.Record.Error}
		done.Comparison, err = &record.Comparison{Before: was, After: record.Run{Error: err.Error(), Err: err}}, nil
	}
	return done, err
}

// text shows a request that was replayed.
func (r *replaying) text(e *record.Entry, done *replayed) {
	about := done.View
	if !e.Begin.IsZero() {
		about += fmt.Sprintf(", %s at %s after %s", e.Outcome, e.Begin.Format(time.RFC3339), e.Took.Round(time.Microsecond))
	}
	if done.Redacted > 0 {
		about += ", " + count(done.Redacted, "private value") + " redacted"
	}
	fmt.Fprintf(r.out, "%s\n", paint(r.outColor, dim, strings.TrimLeft(done.ID+"  "+about, " ")))
	switch {
	case done.Skipped != "":
	case done.Same && done.After.Error != "":
		fmt.Fprintf(r.out, "%s: %s\n", paint(r.outColor, green, "the same"), done.After.Error)
	case done.Same:
		fmt.Fprintf(r.out, "%s: %s\n", paint(r.outColor, green, "the same"), short(done.After.Output))
	default:
		fmt.Fprintf(r.out, "%s\n", paint(r.outColor, red, "it differs"))
		for _, line := range done.lines() {
			fmt.Fprintf(r.out, "  %s\n", line)
		}
		if done.Redacted > 0 && !done.Replayed {
			fmt.Fprintln(r.out, "The stand-ins of its private values alone may do that. With its artifact and another, by\n--against, the two are compared as they answer now.")
		}
		var fault *engine.Fault
		if errors.As(done.After.Err, &fault) && r.sources != nil {
			r.diagnostics([]*diag.Diagnostic{faultReport(fault, r.sources, &e.Record)})
		}
	}
}

// lines say in what a replay differs.
func (d *replayed) lines() []string {
	var lines []string
	for _, c := range d.Missing {
		lines = append(lines, fmt.Sprintf("it asks %s(%s), which the record has no answer to", c.Operation, short(inner(c.Args))))
	}
	for _, diff := range d.Differences {
		lines = append(lines, fmt.Sprintf("%s: %s → %s", diff.Path, side(diff.Before), side(diff.After)))
	}
	if before, after := d.Before.Error, d.After.Error; before != after {
		lines = append(lines, fmt.Sprintf("%s → %s", or(before, short(d.Before.Output)), or(after, short(d.After.Output))))
	}
	return lines
}

// inner is what stands between an array's brackets.
func inner(args []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimPrefix(args, []byte("[")), []byte("]"))
}

func side(value json.RawMessage) string {
	if value == nil {
		return "nothing"
	}
	return short(value)
}

// summary is what tow replay --all says.
type summary struct {
	Requests int            `json:"requests"` // that were compared
	Differ   int            `json:"differ"`
	Skipped  map[string]int `json:"skipped"` // by reason
	// Differing are some of those that differ, the newest first.
	Differing []*replayed `json:"differing"`
}

func (r *replaying) runAll(ctx context.Context) error {
	since, err := r.sinceTime()
	if err != nil {
		return err
	}
	dir, err := r.folder()
	if err != nil {
		return err
	}
	records, err := record.Read(dir)
	if err != nil {
		return err
	}
	s := &summary{Skipped: map[string]int{}, Differing: []*replayed{}}
	for e := range records.All(record.Filter{View: r.view, Since: since, Limit: r.limit}) {
		done, err := r.replay(ctx, e)
		switch {
		case err != nil:
			return err
		case done.Skipped != "":
			s.Skipped[done.Skipped]++
			continue
		case !done.Same:
			s.Differ++
			if len(s.Differing) < maxDiffering {
				s.Differing = append(s.Differing, done)
			}
		}
		s.Requests++
	}
	if r.json {
		err = r.encode(s)
	} else {
		r.summary(s)
	}
	switch {
	case err != nil:
		return err
	case s.Requests == 0:
		return fmt.Errorf("no request in %s could be compared", dir)
	case s.Differ > 0:
		return errWrong
	}
	return nil
}

func (r *replaying) sinceTime() (time.Time, error) {
	if r.since == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(r.since); err == nil {
		return time.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, r.since)
	if err != nil {
		return t, usage{fmt.Errorf("--since %s is neither a duration as 24h nor an instant as 2026-01-31T09:30:00Z", r.since), "tow replay"}
	}
	return t, nil
}

func (r *replaying) summary(s *summary) {
	for _, d := range s.Differing {
		fmt.Fprintf(r.out, "%s  %s\n", paint(r.outColor, bold, d.ID), d.View)
		const most = 3
		lines := d.lines()
		for _, line := range lines[:min(most, len(lines))] {
			fmt.Fprintf(r.out, "  %s\n", line)
		}
		if len(lines) > most {
			fmt.Fprintf(r.out, "  … and %d more\n", len(lines)-most)
		}
	}
	if more := s.Differ - len(s.Differing); more > 0 {
		fmt.Fprintf(r.out, "… and %s more that differ\n", thousands(more))
	}
	style := green
	if s.Differ > 0 {
		style = red
	}
	noun := "requests"
	if s.Requests == 1 {
		noun = "request"
	}
	fmt.Fprintf(r.out, "%s %s, %s\n", thousands(s.Requests), noun, paint(r.outColor, style, thousands(s.Differ)+" differ"))
	for why, n := range s.Skipped {
		fmt.Fprintf(r.out, "%s not compared: %s\n", thousands(n), why)
	}
}

// thousands is a number as people read it: 3,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
