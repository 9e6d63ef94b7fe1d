// Whether one side understands what the other may say.

package compat

import (
	"fmt"
	"slices"
	"strconv"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
)

// A relation compares what a speaker may say with what a reader takes.
type relation struct {
	speaker, reader party
	// loose is that the speaker says whatever its type accepts, as people and programs do
	// who write JSON by themselves; else it says what tow writes of the type.
	loose    bool
	severity Severity // of what the reader refuses
	where    string
	// newSpeaks is that the speaker is of the new version, and the reader of the old one.
	newSpeaks bool
	// bound is that a binding stands between the two, which may name any member.
	bound  bool
	advice advice

	of    string
	seen  map[pair]bool
	ahead []step // pairs to be compared, the shallowest first
	depth int    // of the pair that is compared
	found []Finding
	more  int // findings that are beyond most
}

// A party is one side.
type party struct {
	schema *abi.Schema
	name   string // "the new version"
}

// advice is what to do about a finding, by its cause.
type advice map[cause]string

// cause is why a reader refuses, or makes something else of, what the speaker says.
type cause uint8

const (
	missing     cause = iota // a member that the speaker does not know
	absent                   // a member that the speaker may leave out
	null                     // null where the reader has no Option
	kind                     // another kind of value
	alternative              // an alternative that the reader does not know
	form                     // a variant that has become an enumeration, or the other way round
	length                   // of tuples
	merging                  // elements that are different to the speaker and equal to the reader
	ignored                  // a member that the reader does not look at
	rounded                  // a number that loses digits
	defaulted                // a member that was left out means something else
)

// pair is two types whose comparison has begun, or ended. Types are recursive: two are
// taken to fit until something shows that they do not.
type pair struct {
	speaker, reader abi.TypeID
	unique          bool
}

// step is a pair at a path.
type step struct {
	path            string
	speaker, reader abi.TypeID
	unique          bool
	depth           int
}

// deepest is how many steps it is to what JSON can hold: it nests 128 deep, and each level
// may be an Option too. What is beyond is said by nobody.
const deepest = 2 * 128

// most findings of a relation: the first ones are fixed first.
const most = 20

// inputs: old callers speak, the new version reads.
func inputs(old, new *artifact.Manifest) *relation {
	return &relation{
		speaker: party{&old.Schema, "a caller of the old version"}, reader: party{&new.Schema, "the new version"},
		loose: true, severity: Breaks, where: "input", advice: advice{
			missing:     "give it a default, make it an Option, or add a new view",
			absent:      "keep it optional or with a default, or add a new view",
			null:        "keep it an Option, or add a new view",
			kind:        "keep the type, take the new one as a further parameter with a default, or add a new view",
			alternative: "keep the alternative, or add a new view",
			form:        "keep the alternatives as they were, or add a new view",
			length:      "keep the tuple, or add a new view",
			merging:     "keep the elements as they were, or add a new view",
			ignored:     "if it still matters, keep it",
			defaulted:   "if callers are to get what they got before, keep the default",
			rounded:     "if digits matter, make it a Decimal",
		},
	}
}

// answers: the new version speaks, old callers read.
func answers(old, new *artifact.Manifest) *relation {
	return &relation{
		speaker: party{&new.Schema, "the new version"}, reader: party{&old.Schema, "a caller of the old version"},
		severity: Breaks, where: "answer", newSpeaks: true, advice: advice{
			missing:     "keep the field, or add a new view",
			absent:      "always give it, or add a new view",
			null:        "keep it other than an Option, or add a new view",
			kind:        "keep the type, and give the new one as a further field, or add a new view",
			alternative: "give the new alternative in a further field or a new view: callers know those that there were",
			form:        "keep the alternatives as they were, or add a new view",
			length:      "keep the tuple, or add a new view",
			merging:     "keep the elements as they were, or add a new view",
			rounded:     "tell callers, or add a new view",
		},
	}
}

// arguments: the new version asks, a service reads that knows the old one.
func arguments(old, new *artifact.Manifest) *relation {
	const next = "change the binding or the service, so that it takes both versions while both run"
	return &relation{
		speaker: party{&new.Schema, "the new version"}, reader: party{&old.Schema, "the service"},
		severity: Bind, where: "call", newSpeaks: true, bound: true, advice: advice{
			missing: "see that the binding does not name it any more", absent: next, null: next, kind: next, alternative: next, form: next,
			length: next, merging: next, ignored: "see whether the binding has to hand it on", rounded: next,
		},
	}
}

// results: a service answers, as it did, and the new version reads.
func results(old, new *artifact.Manifest) *relation {
	const next = "see that the service gives it before the new version runs, or read what it gives"
	return &relation{
		speaker: party{&old.Schema, "the service"}, reader: party{&new.Schema, "the new version"},
		loose: true, severity: Bind, where: "call", advice: advice{
			missing: next, absent: next, null: next, kind: next, alternative: next, form: next, length: next, merging: next, rounded: next,
		},
	}
}

// compare gives what the relation finds between two types, the old version's and the new
// one's.
func (r *relation) compare(of string, was, is abi.TypeID) []Finding {
	r.of = of
	if r.newSpeaks {
		return r.run(is, was)
	}
	return r.run(was, is)
}

func (r *relation) run(speaker, reader abi.TypeID) []Finding {
	r.seen = map[pair]bool{}
	r.value("$", speaker, reader, false)
	for len(r.ahead) > 0 {
		next := r.ahead[0]
		r.ahead, r.depth = r.ahead[1:], next.depth
		r.compareAt(next)
	}
	if r.more > 0 {
		r.found = append(r.found, Finding{Severity: r.severity, Where: r.where, Of: r.of, Why: fmt.Sprintf("and %d more of the kind", r.more)})
	}
	return r.found
}

// refuse notes that the reader refuses something.
func (r *relation) refuse(c cause, path, speaker, reader, why string) {
	r.add(r.severity, c, path, speaker, reader, why)
}

func (r *relation) add(s Severity, c cause, path, speaker, reader, why string) {
	was, is := speaker, reader
	if r.newSpeaks {
		was, is = reader, speaker
	}
	f := Finding{Severity: s, Where: r.where, Of: r.of, Path: path, Was: was, Is: is, Why: why, Next: r.advice[c]}
	switch {
	case slices.Contains(r.found, f):
	case len(r.found) == most:
		r.more++
	default:
		r.found = append(r.found, f)
	}
}

// name is a type as a user writes it.
func name(s *abi.Schema, id abi.TypeID) string {
	if t := &s.Types[id]; t.Name != "" {
		return t.Name
	}
	return s.Types[id].Kind.String()
}

// value has two types compared, if they are not yet. Unique is that values are elements of
// a Set, or keys: two that the speaker tells apart the reader must.
func (r *relation) value(path string, speaker, reader abi.TypeID, unique bool) {
	p := pair{base(r.speaker.schema, speaker), base(r.reader.schema, reader), unique}
	if r.seen[p] || r.depth == deepest {
		return
	}
	r.seen[p] = true
	r.ahead = append(r.ahead, step{path, speaker, reader, unique, r.depth + 1})
}

// compareAt compares two types.
func (r *relation) compareAt(at step) {
	path, unique := at.path, at.unique
	shownSpeaker, shownReader := name(r.speaker.schema, at.speaker), name(r.reader.schema, at.reader)
	speaker, reader := base(r.speaker.schema, at.speaker), base(r.reader.schema, at.reader)
	from, to := &r.speaker.schema.Types[speaker], &r.reader.schema.Types[reader]
	switch {
	case to.Kind == abi.Json:
		return // takes anything
	case to.Kind == abi.Option && from.Kind == abi.Option:
		r.value(path, from.Elem, to.Elem, unique)
	case to.Kind == abi.Option:
		r.value(path, speaker, to.Elem, unique)
	case from.Kind == abi.Option:
		r.refuse(null, path, shownSpeaker, shownReader, r.speaker.name+" may say null, and "+r.reader.name+" refuses it")
		r.value(path, from.Elem, reader, unique)
	default:
		r.plain(path, from, to, shownSpeaker, shownReader, unique)
	}
}

// plain compares two types that are neither wrappers nor Options, nor the reader's Json.
func (r *relation) plain(path string, from, to *abi.Type, shownSpeaker, shownReader string, unique bool) {
	if from.Kind != to.Kind {
		r.kinds(path, from, to, shownSpeaker, shownReader, unique)
		return
	}
	switch to.Kind {
	case abi.List:
		r.value(path+"[*]", from.Elem, to.Elem, unique)
	case abi.Set:
		r.value(path+"[*]", from.Elem, to.Elem, true)
	case abi.Map:
		r.mapping(path, from, to, shownSpeaker, shownReader, unique)
	case abi.Tuple:
		if len(from.Fields) != len(to.Fields) {
			r.refuse(length, path, shownSpeaker, shownReader, fmt.Sprintf("%s says %d elements, and %s takes %d", r.speaker.name, len(from.Fields), r.reader.name, len(to.Fields)))
			return
		}
		for i := range to.Fields {
			r.value(path+"["+strconv.Itoa(i)+"]", from.Fields[i].Type, to.Fields[i].Type, unique)
		}
	case abi.Record:
		r.members(path, from.Fields, to.Fields, unique)
	case abi.Enum, abi.Variant:
		r.alternatives(path, from, to, unique)
	}
}

// kinds compares two types of different kinds: some readers take more than their own.
func (r *relation) kinds(path string, from, to *abi.Type, shownSpeaker, shownReader string, unique bool) {
	switch convert(from.Kind, to.Kind, r.loose) {
	case understood:
		return
	case rounds:
		if unique {
			r.refuse(merging, path, shownSpeaker, shownReader, "numbers beyond 2^53 are rounded, and two that were different may be equal")
		} else {
			r.add(Note, rounded, path, shownSpeaker, shownReader, r.reader.name+" rounds whole numbers beyond 2^53")
		}
		return
	case elementwise:
		if from.Kind == abi.Set {
			r.value(path+"[*]", from.Elem, to.Elem, unique)
			return
		}
		for i := range from.Fields {
			r.value(path+"["+strconv.Itoa(i)+"]", from.Fields[i].Type, to.Elem, unique)
		}
		return
	}
	c, why := kind, fmt.Sprintf("%s says %s, and %s expects %s", r.speaker.name, said(from), r.reader.name, said(to))
	if from.Kind == abi.Enum && to.Kind == abi.Variant || from.Kind == abi.Variant && to.Kind == abi.Enum {
		c = form
		why += ": alternatives are texts while none has a field, and objects as soon as one has"
	}
	r.refuse(c, path, shownSpeaker, shownReader, why)
}

// conversion is what a reader makes of another kind's JSON.
type conversion uint8

const (
	refused     conversion = iota
	understood             // as what it was
	rounds                 // to what is nearest
	elementwise            // if it takes the elements
)

// convert says what a reader of one kind makes of what a speaker of another says. Loose is
// that the speaker says whatever its own type accepts. It follows package codec: a Decimal is
// written as a text and read from a number too; times and enumerations are texts.
func convert(from, to abi.Kind, loose bool) conversion {
	switch {
	case to == abi.Decimal && from == abi.Int:
		return understood
	case to == abi.Float && from == abi.Int:
		return rounds
	case to == abi.String:
		switch from {
		case abi.Duration, abi.Instant, abi.Date, abi.Enum:
			return understood
		case abi.Decimal:
			if !loose {
				return understood
			}
		}
	case to == abi.List && (from == abi.Set || from == abi.Tuple):
		return elementwise
	}
	return refused
}

// said is what JSON of a type looks like.
func said(t *abi.Type) string {
	switch t.Kind {
	case abi.Bool:
		return "true or false"
	case abi.Int:
		return "an integer"
	case abi.Float:
		return "a number"
	case abi.Decimal:
		return "a decimal, as \"19.99\""
	case abi.Money:
		return "{\"amount\": …, \"currency\": …}"
	case abi.String:
		return "a text"
	case abi.Duration:
		return "a duration, as \"1h30m\""
	case abi.Instant:
		return "an instant, as \"2026-01-31T09:30:00Z\""
	case abi.Date:
		return "a date, as \"2026-01-31\""
	case abi.Json:
		return "any JSON"
	case abi.List:
		return "an array"
	case abi.Tuple:
		return fmt.Sprintf("an array of %d elements", len(t.Fields))
	case abi.Set:
		return "an array of different elements"
	case abi.Map:
		return "a map"
	case abi.Enum:
		return "an alternative's name as a text"
	case abi.Variant:
		return "{\"type\": …}"
	}
	return "an object"
}
