package types

import (
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// Matches are checked as in Luc Maranget, "Warnings for pattern matching",
// Journal of Functional Programming 17(3), 2007: a matrix of patterns is
// specialised by the constructors of its first column until none is left.

// Bounds on the work of one match, whose worst case is exponential, and on the
// missing cases that are named.
const (
	matchBudget  = 200_000
	totalBudget  = 10_000_000 // of all matches of a check
	missingCases = 3
)

// budget is what the next match may spend, rows being its arms: what all may
// spend bounds a project full of malicious ones.
func (c *checker) budget(rows int) int {
	return min(matchBudget+4*rows*rows, totalBudget-c.matchWork)
}

// spent books what a match has left of its budget.
func (c *checker) spent(mx *matrix, budget int) { c.matchWork += budget - max(mx.budget, 0) }

// conclude checks the patterns of a body whose types are all known.
func (b *body) conclude() {
	for _, u := range b.lets {
		b.checkLet(u)
	}
	for _, u := range b.matches {
		b.checkMatch(u)
	}
	b.lets, b.matches = b.lets[:0], b.matches[:0]
	if len(b.unused) == 0 || b.failed() {
		return // what was to use them may be what is wrong
	}
	for _, l := range b.unused {
		b.c.diags.Warnf(codeUnusedLet, l.At, "`%s` is never used", l.Name).FixWith("name it `_`", l.At, "_")
	}
}

func (b *body) checkLet(u letUse) {
	t := u.pat.TypeOf()
	if simple(u.pat) || faulty(u.pat) || hasBad(t) {
		return
	}
	budget := b.c.budget(1)
	mx := matrix{std: &b.std.Std, budget: budget}
	defer b.c.spent(&mx, budget)
	missing := mx.missing([][]core.Pattern{{u.pat}}, []core.Type{t}, 1)
	if mx.budget < 0 {
		b.errorf(codeMatchTooLarge, u.pat.Pos(), "this pattern is too large to check")
		return
	}
	if len(missing) == 0 {
		return
	}
	b.errorf(codeRefutable, u.pat.Pos(), "the pattern of %s fits every value, this one misses `%s`", u.where, missing[0][0]).
		Note(span.Span{}, "use `match`, which says what becomes of the other cases")
}

// simple reports whether a pattern plainly fits everything.
func simple(p core.Pattern) bool {
	switch p := p.(type) {
	case *core.PWild, *core.PVar:
		return true
	case *core.PTuple:
		for _, e := range p.Elems {
			if !simple(e) {
				return false
			}
		}
		return true
	}
	return false
}

func (b *body) checkMatch(u matchUse) {
	t := u.match.Subject.TypeOf()
	if hasBad(t) {
		return
	}
	for _, a := range u.match.Arms {
		if faulty(a.Pat) {
			return
		}
	}
	budget := b.c.budget(len(u.match.Arms))
	mx := matrix{std: &b.std.Std, budget: budget}
	defer b.c.spent(&mx, budget)
	reached := reachability{b: b, mx: &mx, heads: map[head]bool{}}
	for i, a := range u.match.Arms {
		reached.arm(a, u.syn.Arms[i])
	}
	rows := reached.rows
	missing := mx.missing(rows, []core.Type{t}, missingCases+1)
	at := u.match.Subject.Pos()
	switch {
	case mx.budget < 0:
		b.errorf(codeMatchTooLarge, at, "this match is too large to check").
			Note(span.Span{}, "split it into several, or end it with an arm for `_`")
	case len(missing) > 0:
		b.missing(u, at, missing)
	}
}

// reachability finds arms that those before them leave nothing for.
type reachability struct {
	b     *body
	mx    *matrix
	rows  [][]core.Pattern // of the arms before, without those that have guards
	heads map[head]bool    // of these
	open  bool             // one of them fits whatever the head
}

// arm warns about an arm, or an alternative of one, that is never reached.
func (r *reachability) arm(a *core.Arm, syn *syntax.MatchArm) {
	or, ok := a.Pat.(*core.POr)
	if !ok {
		if !r.useful(a.Pat) {
			r.b.c.diags.Warnf(codeUnreachable, syn.Pat.Pos(), "this arm is never reached").
				Note(span.Span{}, "the arms before it fit all that it fits")
		}
		if a.Guard == nil {
			r.add(a.Pat)
		}
		return
	}
	before := *r
	before.rows = r.rows[:len(r.rows):len(r.rows)]
	for _, alt := range or.Alts {
		if !r.useful(alt) {
			r.b.c.diags.Warnf(codeUnreachable, alt.Pos(), "this alternative is never reached").
				Note(span.Span{}, "what stands before it fits all that it fits")
		}
		r.add(alt)
	}
	if a.Guard != nil {
		r.rows, r.open = before.rows, before.open // heads too many do no harm
	}
}

func (r *reachability) add(p core.Pattern) {
	r.rows = append(r.rows, []core.Pattern{p})
	if h := headOf(p); h.kind != wildHead {
		r.heads[h] = true
	} else {
		r.open = true
	}
}

// useful reports whether a pattern fits anything that the rows do not. A new
// head does, which settles most arms at once.
func (r *reachability) useful(p core.Pattern) bool {
	if h := headOf(p); h.kind != wildHead && !r.open && !r.heads[h] {
		return true
	}
	return r.mx.useful(r.rows, []core.Pattern{p}) || r.mx.budget < 0
}

func (b *body) missing(u matchUse, at span.Span, missing [][]string) {
	var cases []string
	for i, m := range missing {
		if i < missingCases {
			cases = append(cases, "`"+m[0]+"`")
		}
	}
	text := strings.Join(cases, ", ")
	if len(missing) > missingCases {
		text += " and more"
	}
	d := b.errorf(codeMissingCases, at, "this match misses %s", text)
	if len(u.syn.Arms) > 0 {
		last := u.syn.Arms[len(u.syn.Arms)-1].Span
		line, _ := last.File.Position(last.Start)
		indent := ""
		if lead := last.File.Text[last.File.LineStart(line):last.Start]; strings.TrimSpace(string(lead)) == "" {
			indent = string(lead)
		}
		text := ""
		for i, m := range missing {
			if i < missingCases {
				text += "\n" + indent + m[0] + " -> "
			}
		}
		d.Fix = &diag.Fix{Title: "add the missing arms", Edits: []diag.Edit{
			{At: span.Span{File: last.File, Start: last.End, End: last.End}, New: text}}}
	}
}

// faulty reports whether a mistake was reported inside a pattern.
func faulty(p core.Pattern) bool {
	if p.TypeOf() == bad {
		return true
	}
	var parts []core.Pattern
	switch p := p.(type) {
	case *core.PCtor:
		parts = p.Args
	case *core.PTuple:
		parts = p.Elems
	case *core.PList:
		parts = p.Elems
	case *core.POr:
		parts = p.Alts
	case *core.PAs:
		return faulty(p.Pat)
	}
	for _, part := range parts {
		if faulty(part) {
			return true
		}
	}
	return false
}

// matrix checks rows of patterns, spending a budget of row operations; below
// zero, its answers mean nothing.
type matrix struct {
	std    *core.Std
	budget int
}

// head is the outermost constructor of a pattern: one of a type's, a tuple's
// only one, a list's [] or [_, ..], or a literal.
type head struct {
	ctor  *core.Ctor
	value any // of a literal
	kind  headKind
}

type headKind uint8

const (
	wildHead headKind = iota
	ctorHead
	tupleHead
	nilHead
	consHead
	litHead
)

// headOf looks at a pattern that is neither POr nor PAs.
func headOf(p core.Pattern) head {
	switch p := p.(type) {
	case *core.PCtor:
		return head{ctor: p.Ctor, kind: ctorHead}
	case *core.PTuple:
		return head{kind: tupleHead}
	case *core.PLit:
		return head{value: p.Value, kind: litHead}
	case *core.PList:
		switch {
		case len(p.Elems) > 0:
			return head{kind: consHead}
		case !p.HasRest:
			return head{kind: nilHead}
		}
	}
	return head{kind: wildHead}
}

// expand replaces rows that begin with an or-pattern by one for each
// alternative, and takes names off.
func (mx *matrix) expand(rows [][]core.Pattern) [][]core.Pattern {
	plain := true
	for _, r := range rows {
		switch r[0].(type) {
		case *core.POr, *core.PAs:
			plain = false
		}
	}
	if plain {
		return rows
	}
	out := make([][]core.Pattern, 0, len(rows))
	for _, r := range rows {
		out = mx.expandRow(out, r)
	}
	return out
}

func (mx *matrix) expandRow(out [][]core.Pattern, r []core.Pattern) [][]core.Pattern {
	mx.budget--
	if mx.budget < 0 {
		return out
	}
	switch p := r[0].(type) {
	case *core.PAs:
		return mx.expandRow(out, append([]core.Pattern{p.Pat}, r[1:]...))
	case *core.POr:
		for _, alt := range p.Alts {
			out = mx.expandRow(out, append([]core.Pattern{alt}, r[1:]...))
		}
		return out
	}
	return append(out, r)
}

// arity gives the types of a head's fields, for a first column of type t.
func (mx *matrix) arity(h head, t core.Type) []core.Type {
	switch h.kind {
	case ctorHead:
		con := t.(*core.Con)
		out := make([]core.Type, len(h.ctor.Fields))
		for i, f := range h.ctor.Fields {
			out[i] = instance(f.Type, con.Def.Params, con.Args)
		}
		return out
	case tupleHead:
		return t.(*core.Tuple).Elems
	case consHead:
		return []core.Type{t.(*core.Con).Args[0], t}
	}
	return nil
}

var wild core.Pattern = &core.PWild{}

// specialise keeps the rows that fit a head, with its fields in front.
func (mx *matrix) specialise(rows [][]core.Pattern, h head, arity int) [][]core.Pattern {
	out := make([][]core.Pattern, 0, len(rows))
	for _, r := range rows {
		mx.budget--
		own := headOf(r[0])
		if own.kind != wildHead && own != h {
			continue
		}
		row := make([]core.Pattern, 0, arity+len(r)-1)
		switch p := r[0].(type) {
		case *core.PCtor:
			row = append(row, p.Args...)
		case *core.PTuple:
			row = append(row, p.Elems...)
		case *core.PList:
			if own.kind == consHead {
				row = append(row, p.Elems[0], &core.PList{P: p.P, Elems: p.Elems[1:], HasRest: p.HasRest})
			}
		}
		for own.kind == wildHead && len(row) < arity {
			row = append(row, wild)
		}
		out = append(out, append(row, r[1:]...))
	}
	return out
}

// byHead sorts rows by the heads that they fit, those without a head to all.
func (mx *matrix) byHead(rows [][]core.Pattern) map[head][][]core.Pattern {
	out := map[head][][]core.Pattern{}
	var open [][]core.Pattern // so far
	for _, r := range rows {
		mx.budget--
		h := headOf(r[0])
		if h.kind == wildHead {
			for other := range out {
				mx.budget--
				out[other] = append(out[other], r)
			}
			open = append(open, r)
			continue
		}
		own, ok := out[h]
		if !ok {
			own = append(own, open...)
		}
		out[h] = append(own, r)
	}
	return out
}

// others keeps the rows that fit any head, without their first column.
func (mx *matrix) others(rows [][]core.Pattern) [][]core.Pattern {
	var out [][]core.Pattern
	for _, r := range rows {
		mx.budget--
		if headOf(r[0]).kind == wildHead {
			out = append(out, r[1:])
		}
	}
	return out
}

// heads lists all heads that values of t can have, nil when they have no end.
func (mx *matrix) heads(t core.Type) []head {
	switch t := t.(type) {
	case *core.Tuple:
		return []head{{kind: tupleHead}}
	case *core.Con:
		switch {
		case t.Def == mx.std.Bool:
			return []head{{value: true, kind: litHead}, {value: false, kind: litHead}}
		case t.Def == mx.std.List:
			return []head{{kind: nilHead}, {kind: consHead}}
		case t.Def.Kind != core.Builtin:
			out := make([]head, len(t.Def.Ctors))
			for i, ctor := range t.Def.Ctors {
				out[i] = head{ctor: ctor, kind: ctorHead}
			}
			return out
		}
	}
	return nil
}

// missing finds values, one text a column, that no row fits, at most limit.
func (mx *matrix) missing(rows [][]core.Pattern, types []core.Type, limit int) [][]string {
	if mx.budget--; mx.budget < 0 || limit <= 0 {
		return nil
	}
	if len(types) == 0 {
		if len(rows) == 0 {
			return [][]string{{}}
		}
		return nil
	}
	rows = mx.expand(rows)
	used := mx.byHead(rows)
	all := mx.heads(types[0])
	if len(used) == 0 || all == nil {
		var out [][]string
		for _, rest := range mx.missing(mx.others(rows), types[1:], limit) {
			out = append(out, append([]string{"_"}, rest...))
		}
		return out
	}
	var out [][]string
	for _, h := range all {
		fields := mx.arity(h, types[0])
		var found [][]string
		if own, ok := used[h]; ok {
			found = mx.missing(mx.specialise(own, h, len(fields)), append(append([]core.Type{}, fields...), types[1:]...), limit-len(out))
		} else {
			for _, rest := range mx.missing(mx.others(rows), types[1:], limit-len(out)) {
				wilds := make([]string, len(fields))
				for i := range wilds {
					wilds[i] = "_"
				}
				found = append(found, append(wilds, rest...))
			}
		}
		for _, f := range found {
			out = append(out, append([]string{headText(h, f[:len(fields)])}, f[len(fields):]...))
		}
	}
	return out
}

// useful reports whether some value fits row and none of rows.
func (mx *matrix) useful(rows [][]core.Pattern, row []core.Pattern) bool {
	if mx.budget--; mx.budget < 0 {
		return true
	}
	if len(row) == 0 {
		return len(rows) == 0
	}
	if len(rows) == 0 {
		return true
	}
	switch p := row[0].(type) {
	case *core.PAs:
		return mx.useful(rows, append([]core.Pattern{p.Pat}, row[1:]...))
	case *core.POr:
		for _, alt := range p.Alts {
			if mx.useful(rows, append([]core.Pattern{alt}, row[1:]...)) {
				return true
			}
		}
		return false
	}
	rows = mx.expand(rows)
	own := headOf(row[0])
	if own.kind != wildHead {
		n := mx.width(own, row[0])
		return mx.useful(mx.specialise(rows, own, n), mx.specialise([][]core.Pattern{row}, own, n)[0])
	}
	var used []core.Pattern // one for each head, in order
	seen := map[head]bool{}
	for _, r := range rows {
		if h := headOf(r[0]); h.kind != wildHead && !seen[h] {
			seen[h] = true
			used = append(used, r[0])
		}
	}
	if !mx.complete(used) {
		return mx.useful(mx.others(rows), row[1:])
	}
	for _, p := range used {
		h := headOf(p)
		n := mx.width(h, p)
		if mx.useful(mx.specialise(rows, h, n), mx.specialise([][]core.Pattern{row}, h, n)[0]) {
			return true
		}
	}
	return false
}

// width is the number of a head's fields, p being a pattern with that head.
func (mx *matrix) width(h head, p core.Pattern) int {
	switch h.kind {
	case ctorHead:
		return len(h.ctor.Fields)
	case tupleHead:
		return len(p.(*core.PTuple).Elems)
	case consHead:
		return 2
	}
	return 0
}

// complete reports whether patterns with different heads of one type have all
// that it has.
func (mx *matrix) complete(used []core.Pattern) bool {
	if len(used) == 0 {
		return false
	}
	switch h := headOf(used[0]); h.kind {
	case ctorHead:
		return len(used) == len(h.ctor.Def.Ctors)
	case tupleHead:
		return true
	case litHead:
		_, isBool := h.value.(bool)
		return isBool && len(used) == 2
	}
	return len(used) == 2 // [] and [_, ..]
}

// headText writes a head with its fields as a pattern.
func headText(h head, fields []string) string {
	switch h.kind {
	case ctorHead:
		return ctorText(h.ctor, fields)
	case tupleHead:
		return "(" + strings.Join(fields, ", ") + ")"
	case nilHead:
		return "[]"
	case consHead:
		switch tail := fields[1]; {
		case tail == "_":
			return "[" + fields[0] + ", ..]"
		case tail == "[]":
			return "[" + fields[0] + "]"
		default:
			return "[" + fields[0] + ", " + tail[1:]
		}
	}
	if v, ok := h.value.(bool); ok && v {
		return "true"
	}
	return "false"
}

func ctorText(ctor *core.Ctor, fields []string) string {
	if ctor.Def.Kind != core.Record {
		if len(fields) == 0 {
			return ctor.Name
		}
		return ctor.Name + "(" + strings.Join(fields, ", ") + ")"
	}
	var parts []string
	for i, f := range fields {
		if f != "_" {
			parts = append(parts, ctor.Fields[i].Name+": "+f)
		}
	}
	if len(parts) < len(fields) {
		parts = append(parts, "..")
	}
	if len(parts) == 0 {
		return ctor.Name + " {}"
	}
	return ctor.Name + " { " + strings.Join(parts, ", ") + " }"
}
