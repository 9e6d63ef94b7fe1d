// tow load: many requests to a responder, at a rate that its answers do not slow.

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"towpath.dev/client"
)

func loadCommand(u *ui) *cobra.Command {
	l := &load{question: question{ui: u}}
	c := &cobra.Command{
		Use:   "load PROGRAM/VIEW FILE",
		Short: "Ask a responder at a steady rate",
		Long: `Ask a view at a steady rate and show how long answers took. FILE holds an input, or
one on each line; they are sent in turn.

Requests go out when they are due, however late the answers to those before are,
and their time counts from when they were due: a responder that stalls is not
spared (no coordinated omission). With --throttle the sender holds back while
most requests are refused, as package client does; what it held back counts as
throttled.`,
		Example: "  tow load featured-offer/featured.featured input.json --rate 500 --for 10s\n" +
			"  tow load shop/rules.fee inputs.jsonl --rate 2000 --json > report.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage{errors.New("tow load needs a view and a file with inputs"), "tow load"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return l.run(c.Context(), args[0], args[1]) },
	}
	l.target(c)
	f := c.Flags()
	f.IntVar(&l.rate, "rate", 100, "ask `N` times a second")
	f.DurationVar(&l.span, "for", 10*time.Second, "ask for this `TIME`")
	f.BoolVar(&l.throttle, "throttle", false, "hold back while most requests are refused")
	f.BoolVar(&l.json, "json", false, "print the report as JSON")
	return c
}

// load is one tow load.
type load struct {
	question
	rate           int
	span           time.Duration
	throttle, json bool
}

// loadReport is what came of it. Times are in milliseconds.
type loadReport struct {
	Rate       int                `json:"rate"`
	Seconds    float64            `json:"seconds"`
	Requests   int                `json:"requests"`
	Answered   int                `json:"answered"`
	Goodput    float64            `json:"goodput"` // answers a second
	Throttled  int                `json:"throttled"`
	Statuses   map[string]int     `json:"statuses"`
	Errors     map[string]int     `json:"errors,omitempty"` // of connections
	Latency    map[string]float64 `json:"latency"`          // of answers
	latencies  []time.Duration
	throttling bool
}

func (l *load) run(ctx context.Context, what, file string) error {
	program, view, err := viewAt(what)
	if err != nil {
		return err
	}
	class, err := l.class()
	if err != nil {
		return err
	}
	if l.rate < 1 || l.span <= 0 {
		return usage{errors.New("--rate and --for are above zero"), "tow load"}
	}
	inputs, err := readInputs(file)
	if err != nil {
		return err
	}
	if _, err := client.New(l.at, client.Options{}); err != nil {
		return usage{err, "tow load"}
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if class != client.Default {
		header.Set("Towpath-Criticality", class.String())
	}
	if l.token != "" {
		header.Set("Authorization", "Bearer "+l.token)
	}
	url := strings.TrimRight(l.at, "/") + "/v1/" + program + "/" + view
	var next atomic.Int64 // as many requests go out at once
	targets := func(t *vegeta.Target) error {
		t.Method, t.URL, t.Header, t.Body = http.MethodPost, url, header, inputs[int(next.Add(1)-1)%len(inputs)]
		return nil
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	report := l.attack(ctx, targets)
	if l.json {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if _, err = l.out.Write(append(text, '\n')); err != nil {
			return err
		}
	} else {
		l.show(report)
	}
	if len(inputs) > 1 {
		file = "FILE" // tow call takes one input
	}
	return l.verdict(report, what, file)
}

// verdict is an error when there was no answer at all.
func (l *load) verdict(r *loadReport, what, file string) error {
	switch {
	case r.Answered > 0 || r.Requests == 0:
		return nil
	case len(r.Statuses) == 0 && r.Throttled == 0:
		return fmt.Errorf("no request reached %s; is \"tow dev\" or \"tow serve\" running there?", l.at)
	}
	return wrong{fmt.Errorf("no request was answered; \"tow call %s %s --at %s\" shows why", what, file, l.at)}
}

// attack sends requests and gathers what comes.
func (l *load) attack(ctx context.Context, targets vegeta.Targeter) *loadReport {
	transport := &http.Transport{MaxIdleConns: 10_000, MaxIdleConnsPerHost: 10_000, IdleConnTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	var round http.RoundTripper = transport
	if l.throttle {
		round = client.Throttle(round)
	}
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: round, Timeout: l.timeout}), vegeta.MaxBody(0))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	r := &loadReport{Rate: l.rate, Statuses: map[string]int{}, Errors: map[string]int{}, Latency: map[string]float64{}, throttling: l.throttle}
	var begin, end time.Time
	shown := time.Now()
	for result := range attacker.Attack(targets, vegeta.Rate{Freq: l.rate, Per: time.Second}, l.span, "") {
		if begin.IsZero() || result.Seq == 0 {
			begin = result.Timestamp.Add(-time.Duration(result.Seq) * time.Second / time.Duration(l.rate))
		}
		r.add(result, begin.Add(time.Duration(result.Seq)*time.Second/time.Duration(l.rate)))
		if e := result.End(); e.After(end) {
			end = e
		}
		if !l.json && l.outTerminal && time.Since(shown) > time.Second/4 {
			shown = time.Now()
			fmt.Fprintf(l.err, "\r%3.0f%%  %d asked, %d answered", 100*min(1, time.Since(begin).Seconds()/l.span.Seconds()), r.Requests, r.Answered)
		}
	}
	if !l.json && l.outTerminal {
		fmt.Fprint(l.err, "\r\x1b[K")
	}
	r.Seconds = end.Sub(begin).Seconds()
	if r.Seconds > 0 {
		r.Goodput = float64(r.Answered) / r.Seconds
	}
	slices.Sort(r.latencies)
	for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1} {
		r.Latency[name] = r.quantile(q)
	}
	return r
}

// add counts a result. Its time counts from when it was due.
func (r *loadReport) add(result *vegeta.Result, due time.Time) {
	r.Requests++
	switch {
	case strings.Contains(result.Error, client.ErrThrottled.Error()):
		r.Throttled++
	case result.Code == 0:
		reason := result.Error
		if i := strings.LastIndex(reason, ": "); i >= 0 {
			reason = reason[i+2:]
		}
		r.Errors[reason]++
	default:
		r.Statuses[fmt.Sprint(result.Code)]++
	}
	if result.Code == http.StatusOK {
		r.Answered++
		r.latencies = append(r.latencies, max(result.Timestamp.Add(result.Latency).Sub(due), result.Latency))
	}
}

// quantile is in milliseconds.
func (r *loadReport) quantile(q float64) float64 {
	if len(r.latencies) == 0 {
		return 0
	}
	at := min(int(q*float64(len(r.latencies))), len(r.latencies)-1)
	return float64(r.latencies[at].Microseconds()) / 1000
}

// show prints the report for a person, with a histogram.
func (l *load) show(r *loadReport) {
	fmt.Fprintf(l.out, "%d requests in %.1f s, %d answered (%.1f %%), %.1f answers a second\n",
		r.Requests, r.Seconds, r.Answered, 100*float64(r.Answered)/float64(max(r.Requests, 1)), r.Goodput)
	if r.throttling {
		fmt.Fprintf(l.out, "%d held back since most were refused\n", r.Throttled)
	}
	for _, m := range []map[string]int{r.Statuses, r.Errors} {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(l.out, "  %6d  %s\n", m[key], key)
		}
	}
	if r.Answered == 0 {
		return
	}
	fmt.Fprintf(l.out, "\np50 %.2f ms   p90 %.2f ms   p99 %.2f ms   p99.9 %.2f ms   max %.2f ms\n\n",
		r.Latency["p50"], r.Latency["p90"], r.Latency["p99"], r.Latency["p999"], r.Latency["max"])
	l.histogram(r)
}

// histogram draws how many answers took how long, in steps that double.
func (l *load) histogram(r *loadReport) {
	const width = 50
	var bounds []time.Duration
	for b := 100 * time.Microsecond; ; b *= 2 {
		bounds = append(bounds, b)
		if b >= r.latencies[len(r.latencies)-1] {
			break
		}
	}
	counts := make([]int, len(bounds))
	at := 0
	for _, took := range r.latencies {
		for took > bounds[at] {
			at++
		}
		counts[at]++
	}
	most, upTo, bar := slices.Max(counts), "<=", "#"
	if l.unicode {
		upTo, bar = "≤", "█"
	}
	for i, n := range counts {
		if n == 0 && (i == 0 || counts[i-1] == 0) {
			continue
		}
		fmt.Fprintf(l.out, "  %s %8s  %-*s %d\n", upTo, bounds[i], width, strings.Repeat(bar, (n*width+most-1)/most), n)
	}
}

// readInputs reads a file with one input, or with one on each line.
func readInputs(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if json.Valid(text) {
		return [][]byte{text}, nil
	}
	var inputs [][]byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			return nil, wrong{fmt.Errorf("%s:%d: expected an input as JSON on each line, found %s", file, n, short(line))}
		}
		inputs = append(inputs, bytes.Clone(line))
	}
	if len(inputs) == 0 {
		return nil, wrong{fmt.Errorf("%s holds no input", file)}
	}
	return inputs, lines.Err()
}
