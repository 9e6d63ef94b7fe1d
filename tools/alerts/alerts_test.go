package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

const (
	folder = "../../deploy/alerts"
	step   = time.Minute // between evaluations, which are Prometheus's default's apart
)

// rules are those of a file.
func rules(t *testing.T, file string) (all []rulefmt.Rule) {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(folder, file), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestRulesParse: Prometheus reads all rules that are shipped, and their templates.
func TestRulesParse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("the files of rules: %q, %v", files, err)
	}
	for _, file := range files {
		if len(rules(t, filepath.Base(file))) == 0 {
			t.Errorf("%s has no rules", file)
		}
	}
}

// A story is what processes export, and which alarms that raises.
type story struct {
	name  string
	file  string
	lasts time.Duration
	load  string
	// fires is ALERT OF… from BEGIN [to END], one for each time, in the order of the names.
	fires []string
}

// fired evaluates rules over a story, and says what fired as a story's fires do.
func fired(t *testing.T, s story) (all []string) {
	t.Helper()
	store := promqltest.LoadedStorage(t, s.load)
	defer store.Close()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000_000, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	defer engine.Close()
	for _, r := range rules(t, s.file) {
		query, err := engine.NewRangeQuery(context.Background(), store, nil, r.Expr, time.Unix(0, 0), time.Unix(0, 0).Add(s.lasts), step)
		if err != nil {
			t.Fatalf("%s: %v", r.Alert, err)
		}
		found, err := query.Exec(context.Background()).Matrix()
		if err != nil {
			t.Fatalf("%s: %v", r.Alert, err)
		}
		for _, series := range found {
			all = append(all, times(r, series, s.lasts)...)
		}
		query.Close()
	}
	slices.Sort(all)
	return all
}

// times is when an alarm fires: once its expression has had a value at each evaluation
// for as long as the rule says.
func times(r rulefmt.Rule, found promql.Series, lasts time.Duration) (all []string) {
	active := map[time.Duration]bool{}
	for _, f := range found.Floats {
		active[time.Duration(f.T)*time.Millisecond] = true
	}
	since, begun := time.Duration(-1), false
	for at := time.Duration(0); at <= lasts+step; at += step {
		switch {
		case active[at] && since < 0:
			since = at
		case !active[at] && begun && at <= lasts:
			all[len(all)-1] += fmt.Sprintf(" to %s", model.Duration(at))
			fallthrough
		case !active[at]:
			since, begun = -1, false
		}
		if since >= 0 && !begun && at-since >= time.Duration(r.For) {
			begun = true
			all = append(all, strings.Join(append([]string{r.Alert}, of(found.Metric)...), " ")+fmt.Sprintf(" from %s", model.Duration(at)))
		}
	}
	return all
}

// of is what an alarm is about: its labels' values.
func of(l labels.Labels) (values []string) {
	l.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			values = append(values, l.Value)
		}
	})
	return values
}

func TestAlarms(t *testing.T) {
	for _, s := range append(backups, maintenance...) {
		t.Run(s.name, func(t *testing.T) {
			if got := fired(t, s); !slices.Equal(got, s.fires) {
				t.Errorf("what fired is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(s.fires, "\n\t"))
			}
		})
	}
}
