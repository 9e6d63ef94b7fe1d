package compat_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/artifact/compat"
	"towpath.dev/internal/artifact/sample"
	"towpath.dev/internal/codec/codectest"
)

// TestVerdictsAgainstTheDecoder makes pairs of types at random, compares them, and reads
// texts of the one by the codec's plan of the other. Where the report says that all is well,
// every text must be read: of inputs all that the old type accepts, of answers what is written
// of the new one. How often a verdict of "breaks" has a text that shows it is counted, as a
// report that always says so would be of no use.
func TestVerdictsAgainstTheDecoder(t *testing.T) {
	pairs, texts := 1000, 24
	if testing.Short() {
		pairs = 200
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	breaks, shown, fine := 0, 0, 0
	for i := range pairs {
		d := &dice{rand.New(rand.NewPCG(seed, uint64(i)))}
		old, new := d.pair()
		oldMemory, newMemory := codectest.NewMemory(t, old), codectest.NewMemory(t, new)
		was, is := manifestOf(oldMemory.Schema), manifestOf(newMemory.Schema)
		report := compat.Compare(was, is)
		inputFits, answerFits := true, true
		for _, f := range report.Views[0].Findings {
			if f.Severity == compat.Breaks {
				inputFits = inputFits && f.Where != "input"
				answerFits = answerFits && f.Where != "answer"
			}
		}
		inputShown, answerShown := false, false
		for range texts {
			text := d.text(oldMemory.Schema, codectest.Type(oldMemory.Schema, "In"), 0)
			oldMemory.Heap, newMemory.Heap = 8192, 8192
			if _, err := oldMemory.Decode("In", text); err == nil {
				_, err = newMemory.Decode("In", text)
				inputShown = inputShown || err != nil
				if err != nil && inputFits {
					t.Fatalf("seed %d, pair %d\nold %s\nnew %s\ninput %s: %v, and the report says\n%s", seed, i, old, new, text, err, report)
				}
			}
			// An answer is what the new version writes.
			text = d.text(newMemory.Schema, codectest.Type(newMemory.Schema, "In"), 0)
			oldMemory.Heap, newMemory.Heap = 8192, 8192
			v, err := newMemory.Decode("In", text)
			if err != nil {
				continue
			}
			written, err := newMemory.Encode("In", v)
			if err != nil {
				continue
			}
			_, err = oldMemory.Decode("In", written)
			answerShown = answerShown || err != nil
			if err != nil && answerFits {
				t.Fatalf("seed %d, pair %d\nold %s\nnew %s\nanswer %s: %v, and the report says\n%s", seed, i, old, new, written, err, report)
			}
		}
		for _, c := range []struct{ fits, shown bool }{{inputFits, inputShown}, {answerFits, answerShown}} {
			switch {
			case c.fits:
				fine++
			case c.shown:
				breaks, shown = breaks+1, shown+1
			default:
				breaks++
			}
		}
	}
	t.Logf("%d fit; %d break, of which %d were shown to", fine, breaks, shown)
	if fine < pairs/10 || shown*10 < breaks*7 {
		t.Errorf("%d fit and %d of %d breaks were shown: the test, or the report, has lost its use", fine, shown, breaks)
	}
}

// TestNothingChanged: a version is compatible with itself.
func TestNothingChanged(t *testing.T) {
	seed := rand.Uint64()
	for i := range 500 {
		d := &dice{rand.New(rand.NewPCG(seed, uint64(i)))}
		text, _ := d.pair()
		m := manifestOf(codectest.Schema(t, text))
		if r := compat.Compare(m, m); r.Verdict() != compat.Compatible || len(r.Views[0].Findings) > 0 {
			t.Fatalf("seed %d, pair %d: %s\n%s", seed, i, text, r)
		}
	}
}

// manifestOf is a program with one view, whose input and answer are the type In.
func manifestOf(s *abi.Schema) *artifact.Manifest {
	id := codectest.Type(s, "In")
	return &artifact.Manifest{Program: "p", Schema: *s, Views: []artifact.View{{Module: "m", Name: "v", Input: id, Result: id}}}
}

// dice makes types and texts.
type dice struct{ *rand.Rand }

// pair is two texts of schemas, the second like the first but for some changes.
func (d *dice) pair() (old, new string) {
	fields := d.fields(1 + d.IntN(4))
	changed := append([]string(nil), fields...)
	for range d.IntN(3) {
		switch i := d.IntN(len(changed)); d.IntN(4) {
		case 0:
			changed[i] = fmt.Sprintf("f%d: %s", i, d.typ(0))
		case 1:
			changed = append(changed, fmt.Sprintf("g: %s", d.field()))
		case 2:
			changed = append(changed[:i:i], changed[i+1:]...)
		case 3:
			name, typ, _ := strings.Cut(changed[i], ": ")
			changed[i] = name + ": " + d.near(typ)
		}
		if len(changed) == 0 {
			break
		}
	}
	declared := func(fields []string, color, shape, row string) string {
		return fmt.Sprintf("In = { %s }\nColor = %s\nShape = %s\nRow = { %s }\n", strings.Join(unique(fields), ", "), color, shape, row)
	}
	return declared(fields, d.color(), d.shape(), d.row()), declared(changed, d.color(), d.shape(), d.row())
}

// unique leaves the first of each name.
func unique(fields []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range fields {
		name, _, _ := strings.Cut(f, ":")
		if !seen[name] {
			out = append(out, f)
		}
		seen[name] = true
	}
	return out
}

func (d *dice) fields(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("f%d: %s", i, d.field()))
	}
	return out
}

// field is a type, with a default now and then.
func (d *dice) field() string {
	switch d.IntN(8) {
	case 0:
		return fmt.Sprintf("Int = %d", d.IntN(2))
	case 1:
		return `String = "x"`
	}
	return d.typ(0)
}

func pick[T any](d *dice, of ...T) T { return of[d.IntN(len(of))] }

func (d *dice) color() string { return pick(d, "Red | Green", "Red | Green", "Red | Green | Blue") }

func (d *dice) shape() string {
	return pick(d, "Dot | Circle(r: Int)", "Dot | Circle(r: Int)", "Dot | Circle(r: Int, of: Color?)", "Dot | Circle | Square", "Dot | Circle(r: Decimal) | Row(of: Row)")
}

func (d *dice) row() string {
	return pick(d, "a: Int, b: String?", "a: Int, b: String?", "a: Int, b: String", "a: Int", "a: Int, b: String? , next: Row?", "a: Int = 1, b: String?", "b: String?, a: Decimal")
}

// typ is a type's text.
func (d *dice) typ(depth int) string {
	scalar := func() string {
		return pick(d, "Bool", "Int", "Float", "Decimal", "Money", "String", "Duration", "Instant", "Date", "Json", "Color", "Shape", "Row")
	}
	if depth == 2 {
		return scalar()
	}
	switch d.IntN(9) {
	case 0:
		return "List<" + d.typ(depth+1) + ">"
	case 1:
		return "Set<" + pick(d, "Int", "Row", "String", "Color", "Float", "Decimal") + ">"
	case 2:
		return "Map<" + pick(d, "String", "Int", "Date", "Color", "Decimal", "Row") + ", " + d.typ(depth+1) + ">"
	case 3:
		return "(" + d.typ(depth+1) + ", " + d.typ(depth+1) + ")"
	case 4:
		if t := d.typ(depth + 1); !strings.HasSuffix(t, "?") {
			return t + "?"
		}
	}
	return scalar()
}

// near is a type that is nearly another.
func (d *dice) near(t string) string {
	t, _, _ = strings.Cut(t, " =")
	switch d.IntN(4) {
	case 0:
		if !strings.HasSuffix(t, "?") {
			return t + "?"
		}
		return strings.TrimSuffix(t, "?")
	case 1:
		return strings.Replace(t, "Int", pick(d, "Decimal", "Float", "Int?"), 1)
	case 2:
		return strings.NewReplacer("Set<", "List<", "Instant", "String", "Color", "String").Replace(t)
	}
	return strings.NewReplacer("Decimal", "String", "List<", "Set<", "Date", "String").Replace(t)
}

// text is JSON that a type takes, in any form that it takes.
func (d *dice) text(s *abi.Schema, id abi.TypeID, _ int) string {
	return string(sample.JSON(d.Rand, s, id))
}

// TestTypesThatAreRecursive: comparison ends, and finds what lies behind a circle.
func TestTypesThatAreRecursive(t *testing.T) {
	compare := func(old, new string) *compat.Report {
		return compat.Compare(manifestOf(codectest.Schema(t, old)), manifestOf(codectest.Schema(t, new)))
	}
	// A circle of two against one of three.
	two := "In = { next: B? , x: Int }\nB = { next: In?, x: Int }\n"
	three := "In = { next: B?, x: Int }\nB = { next: C?, x: Int }\nC = { next: In?, x: Int }\n"
	if r := compare(two, three); r.Verdict() != compat.Compatible || len(r.Views[0].Findings) > 0 {
		t.Errorf("two circles that are the same:\n%s", r)
	}
	r := compare(two, strings.Replace(three, "C = { next: In?, x: Int }", "C = { next: In?, x: String }", 1))
	if r.Verdict() != compat.NeedsNewView || !strings.Contains(r.String(), "input $.next.next.x: was Int, is String") {
		t.Errorf("a difference behind a circle:\n%s", r)
	}
	// As deep as JSON goes, and deeper.
	chain := func(last string) string {
		var b strings.Builder
		b.WriteString("In = { f: T0 }\n")
		for i := range 1000 {
			fmt.Fprintf(&b, "T%d = { f: T%d }\n", i, i+1)
		}
		return b.String() + "T1000 = { f: " + last + " }\n"
	}
	if r := compare(chain("Int"), chain("String")); r.Verdict() != compat.Compatible {
		t.Errorf("a difference that nobody can say:\n%s", r)
	}
}
