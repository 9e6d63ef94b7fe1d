// Requests that were recorded, as tow replay and tow explain-request find them.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/project"
	"towpath.dev/internal/run/record"
)

// archive finds recorded requests.
type archive struct {
	*ui
	records string // the folder; "" for the project's
}

// flag adds the flag that names the folder.
func (r *archive) flag(c *cobra.Command) {
	c.Flags().StringVar(&r.records, "records", "", "find requests in the folder `DIR` (default: the project's .tow/records)")
}

// folder is where the records are.
func (r *archive) folder() (string, error) {
	if r.records != "" {
		return r.records, nil
	}
	p, err := project.Find(".")
	if err != nil {
		return "", fmt.Errorf("%w; or name the folder of the records with --records", err)
	}
	return filepath.Join(p.Root, stateDir, "records"), nil
}

// open opens the records to read.
func (r *archive) open() (*record.Reader, string, error) {
	dir, err := r.folder()
	if err != nil {
		return nil, dir, err
	}
	records, err := record.Read(dir)
	return records, dir, err
}

// find reads a request from a file, or from the records by its ID or by the
// beginning of one that no other has.
func (r *archive) find(what string) (*record.Entry, error) {
	if text, err := os.ReadFile(what); err == nil {
		return readEntry(what, text)
	} else if strings.ContainsAny(what, `/\`) || strings.HasSuffix(what, ".json") {
		return nil, err
	}
	records, dir, err := r.open()
	if err != nil {
		return nil, err
	}
	e, err := records.Get(what)
	if !errors.Is(err, record.ErrNotFound) {
		return e, err
	}
	return findByPrefix(records, dir, what)
}

// maxNamed is how many requests an error names.
const maxNamed = 3

// findByPrefix is the request whose ID alone begins so. The index has no ids, so
// that all entries are read.
func findByPrefix(records *record.Reader, dir, prefix string) (*record.Entry, error) {
	begin := map[string]*record.Entry{} // the newest of each id
	var newest, matches []string
	n := 0
	for e := range records.All(record.Filter{}) {
		n++
		line := fmt.Sprintf("  %s  %s, %s", e.ID, e.Record.View, ago(time.Since(e.Begin)))
		if len(newest) < maxNamed {
			newest = append(newest, line)
		}
		if prefix != "" && strings.HasPrefix(e.ID, prefix) && begin[e.ID] == nil {
			begin[e.ID] = e
			matches = append(matches, line)
		}
	}
	switch {
	case len(begin) == 1:
		for _, e := range begin {
			return e, nil
		}
	case len(begin) > 1:
		return nil, fmt.Errorf("the IDs of %s begin with %q; write more of the one. The newest are\n\n%s",
			count(len(begin), "request"), prefix, strings.Join(matches[:min(maxNamed, len(matches))], "\n"))
	case n == 0:
		return nil, fmt.Errorf("no request is recorded in %s yet: \"tow dev\" records all that views are asked, \"tow serve --records DIR\" the share --sample of them", dir)
	}
	return nil, fmt.Errorf(`no request %q is among the %s recorded in %s. The newest are

%s

"tow serve" keeps the share that --sample says, and the oldest make room for new
ones; a request that was refused before its view ran is in no records`, prefix, thousands(n), dir, strings.Join(newest, "\n"))
}

// readEntry reads a file with an entry, or with an engine's record alone.
func readEntry(file string, text []byte) (*record.Entry, error) {
	e := new(record.Entry)
	if err := json.Unmarshal(text, e); err != nil {
		return nil, wrong{placedJSON(file, text, err)}
	}
	if e.Record.View == "" {
		if err := json.Unmarshal(text, &e.Record); err != nil {
			return nil, wrong{placedJSON(file, text, err)}
		}
	}
	if e.Record.View == "" || e.Record.Artifact == "" {
		return nil, wrong{fmt.Errorf("%s is no record: it does not say its \"view\" and its \"artifact\"", file)}
	}
	return e, nil
}

// encode prints a value as JSON.
func (r *archive) encode(v any) error {
	e := json.NewEncoder(r.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// complete offers the newest requests.
func (r *archive) complete(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // a file
	}
	records, _, err := r.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var out []cobra.Completion
	for _, e := range records.List(record.Filter{Limit: 20}) {
		out = append(out, cobra.CompletionWithDesc(e.ID, e.Record.View+", "+e.Outcome.String()))
	}
	return out, cobra.ShellCompDirectiveDefault
}

// ago is how long something is past, as people say it.
func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
