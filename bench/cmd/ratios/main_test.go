package main

import (
	"io"
	"math"
	"strings"
	"testing"

	"towpath.dev/bench"
)

func TestRunPrintsATableOfPeers(t *testing.T) {
	var out strings.Builder
	args := []string{"-slices", "2", "-slice", "1ms", "-subject", "go-std", "-run", `^W2 (logic vs Go|allocations)$`}
	if err := run(args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GOMAXPROCS", "github.com/goccy/go-json", "W2 logic vs Go", "W2 allocations"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "W1") {
		t.Errorf("more was measured than asked for:\n%s", out.String())
	}
}

func TestCheckFailsWithoutTheSubject(t *testing.T) {
	args := []string{"-slices", "1", "-slice", "1ms", "-subject", "nobody", "-run", `^W2 logic vs Expr$`}
	var out strings.Builder
	if err := run(args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "no nobody") {
		t.Errorf("the table hides that a side is missing:\n%s", out.String())
	}
	if err := run(append(args, "-check"), io.Discard, io.Discard); err == nil {
		t.Error("a bar that was not measured passed")
	}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		measure bench.Measure
		result  result
		want    string
	}{
		{bench.Measure{Bar: 0.4}, result{value: 0.4}, "ok"},
		{bench.Measure{Bar: 0.4}, result{value: 0.41}, "MISSED"},
		{bench.Measure{Bar: 0.4}, result{value: math.NaN()}, "MISSED"},
		{bench.Measure{Bar: 0.4}, result{value: math.NaN(), missing: "tow"}, "no tow"},
		{bench.Measure{Reported: true}, result{value: 7}, ""},
		{bench.Measure{Kind: bench.Allocs}, result{value: 0}, "ok"},
	} {
		if got := test.result.verdict(test.measure); got != test.want {
			t.Errorf("%+v with %v is %q, not %q", test.measure, test.result.value, got, test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.0123456: "0.0123", 4.5678: "4.57", 123.4: "123", 2500: "2500", math.NaN(): "-"} {
		if got := number(x); got != want {
			t.Errorf("%v is written %s, not %s", x, got, want)
		}
	}
	for ns, want := range map[float64]string{5.25: "5.25 ns", 12_340: "12.3 µs", 1.5e6: "1.5 ms"} {
		if got := duration(ns); got != want {
			t.Errorf("%v ns is written %s, not %s", ns, got, want)
		}
	}
}
