package bothways

import (
	"errors"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/engine"
)

func TestAgrees(t *testing.T) {
	answer := Outcome{Kind: Answered, Text: "1", Gas: 3}
	fault := Outcome{Kind: Faulted, Text: abi.Overflow.String(), At: "main.tow:1:2", Gas: 3}
	with := func(o Outcome, change func(o *Outcome)) Outcome { change(&o); return o }
	tests := []struct {
		name string
		a, b Outcome
		want bool
	}{
		{"the same answer", answer, answer, true},
		{"another answer", answer, with(answer, func(o *Outcome) { o.Text = "2" }), false},
		{"other gas", answer, with(answer, func(o *Outcome) { o.Gas = 4 }), false},
		{"the same fault", fault, fault, true},
		{"a fault elsewhere", fault, with(fault, func(o *Outcome) { o.At = "main.tow:1:3" }), false},
		{"an answer and a fault", answer, fault, false},
		{"out of memory", answer, with(fault, func(o *Outcome) { o.Text = abi.OutOfMemory.String() }), true},
		{"a limit of the host", answer, Outcome{Kind: Limited}, true},
		{"refused for other reasons", Outcome{Kind: Refused, Text: "a"}, Outcome{Kind: Refused, Text: "b"}, true},
		{"unforeseen alike", Outcome{Kind: Unforeseen}, Outcome{Kind: Unforeseen}, false},
	}
	for _, tt := range tests {
		if got := tt.a.Agrees(tt.b); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

const asking = `
service S {
  fn price(item: Int) -> Int
}

view main(items: List<Int>) -> Int {
  items |> map(i => S.price(i) within 10ms else 0) |> sum()
}
`

func TestCompare(t *testing.T) {
	s, err := New(t.Context(), map[string]string{"main.tow": asking}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for seed := range uint64(50) {
		if err := s.Compare(t, s.Views()[0], []byte(`{"items":[1,2,3,4,5]}`), seed); err != nil {
			t.Error(err)
		}
	}
	if s.Kinds[Answered] < 50 {
		t.Errorf("runs ended so: %v", s.Kinds)
	}
}

// TestDisagreement gives the engines another record than the interpreter's.
func TestDisagreement(t *testing.T) {
	s, err := New(t.Context(), map[string]string{"main.tow": asking}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rec := &engine.Record{View: "main.main", Input: []byte(`{"items":[1]}`)}
	rec.Answers = []engine.Answer{{Operation: "main.S.price", Args: []byte("[1]"), Body: []byte("7")}}
	view := s.Views()[0]
	o := s.interpret(view, rec, recorded(rec))
	if o.Kind != Answered || o.Text != "7" {
		t.Fatal(o)
	}
	if err := s.replay(view, rec, Run{"interpreter", o}); err != nil {
		t.Error(err)
	}
	rec.Answers[0].Body = []byte("8")
	var d *Disagreement
	if err := s.replay(view, rec, Run{"interpreter", o}); !errors.As(err, &d) || !strings.Contains(d.Error(), "main.S.price[1] = 8") {
		t.Errorf("got %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	if err := RoundTrip(map[string]string{"main.tow": asking}); err != nil {
		t.Error(err)
	}
	if err := RoundTrip(map[string]string{"main.tow": "fn f( -> Int { 1 }\n"}); err == nil {
		t.Error("what does not parse was formatted")
	}
}
