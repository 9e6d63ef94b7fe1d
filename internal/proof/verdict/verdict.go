// Package verdict says what was wrong in a run, from its history alone.
//
// What it looks for:
//
//   - stale write: a batch was accepted though a greater token had been there before, in
//     the order of the register or in that of the leaders' own clocks;
//   - lost write: what a leader was told of a batch is not what the register did;
//   - not linearizable: no order of the operations on a register explains what was read
//     (Herlihy and Wing, ACM TOPLAS 12(3), 1990; found by porcupine);
//   - token order: a seat was acquired with a token that is not above the one before;
//   - overlap: two processes believed at once that they held a seat, and nothing that
//     permits it had happened to the one that had held it for longer.
//
// What a run finds by itself, when nothing breaks any more, is of kinds of its own: a seat
// that nobody holds, and a backup that is not what the cluster was.
package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/proof/history"
)

// The kinds of violations.
const (
	StaleWrite      = "stale write"
	LostWrite       = "lost write"
	NotLinearizable = "not linearizable"
	TokenOrder      = "token order"
	Overlap         = "overlap"
	NoProgress      = "no progress"
	BadBackup       = "bad backup"
)

// Kinds are all kinds of violations.
func Kinds() []string {
	return []string{StaleWrite, LostWrite, NotLinearizable, TokenOrder, Overlap, NoProgress, BadBackup}
}

// A Violation is something that must not have happened.
type Violation struct{ Kind, Text string }

// A Report is what there is to say of a run.
type Report struct {
	Operations  int // that were accepted
	Refused     int // operations of batches that were refused
	Unknown     int // operations of batches whose outcome nobody heard
	Leaderships int
	Tokens      int            // acquisitions that the store told of
	Faults      map[string]int // by their names
	Overlaps    map[string]int // those that something permits, by what
	Violations  []Violation
}

// Permits says which faults permit a leadership to overlap with the next, by their names.
// Those that are true do so to anybody, the others to the process that they befell.
type Permits map[string]bool

func (r *Report) complain(kind, format string, args ...any) {
	r.Violations = append(r.Violations, Violation{kind, fmt.Sprintf(format, args...)})
}

// Count is how many violations of a kind there are.
func (r *Report) Count(kind string) int {
	n := 0
	for _, v := range r.Violations {
		if v.Kind == kind {
			n++
		}
	}
	return n
}

// Of judges a history, whose records are in the order of their times.
func Of(records []history.Record, permits Permits, grace time.Duration) *Report {
	r := &Report{Faults: map[string]int{}, Overlaps: map[string]int{}}
	for _, x := range records {
		switch x.Kind {
		case history.Refused:
			r.Refused += len(x.Ops)
		case history.Accepted:
			r.Operations += len(x.Ops)
		case history.Fault:
			r.Faults[x.Note]++
		}
	}
	batches := batchesOf(records)
	r.checkStale(records)
	r.checkLost(batches)
	r.checkRegisters(batches)
	r.checkTokens(records)
	r.checkOverlaps(records, permits, grace)
	return r
}

// A batch is what there is to know of one.
type batch struct {
	call, answer, denial, accepted *history.Record
}

type batchKey struct {
	who    string
	number uint64
}

func batchesOf(records []history.Record) map[batchKey]*batch {
	all := map[batchKey]*batch{}
	for i := range records {
		x := &records[i]
		key := batchKey{x.Who, x.Batch}
		b := all[key]
		if b == nil {
			b = &batch{}
		}
		switch x.Kind {
		case history.Call:
			b.call = x
		case history.Answer:
			b.answer = x
		case history.Denial:
			b.denial = x
		case history.Accepted:
			b.accepted = x
		default:
			continue
		}
		all[key] = b
	}
	return all
}

// checkStale looks for accepted batches that came too late.
func (r *Report) checkStale(records []history.Record) {
	accepted := map[string]election.Token{} // as the register did it
	answered := map[string]election.Token{} // as leaders heard of it
	type call struct {
		history.Record
		before election.Token // somebody had heard of it before this was sent
	}
	calls := map[batchKey]call{}
	for _, x := range records {
		switch x.Kind {
		case history.Accepted:
			if x.Token.Compare(accepted[x.Seat]) < 0 {
				r.complain(StaleWrite, "%s wrote to %s with the token %s, which was at %s already (its batch %d)", x.Who, x.Seat, x.Token, accepted[x.Seat], x.Batch)
			}
			accepted[x.Seat] = newer(accepted[x.Seat], x.Token)
		case history.Call:
			calls[batchKey{x.Who, x.Batch}] = call{x, answered[x.Seat]}
		case history.Answer:
			c := calls[batchKey{x.Who, x.Batch}]
			if c.Token.Compare(c.before) < 0 {
				r.complain(StaleWrite, "%s sent batch %d to %s with the token %s after somebody had heard that %s was accepted", x.Who, x.Batch, c.Seat, c.Token, c.before)
			}
			answered[c.Seat] = newer(answered[c.Seat], c.Token)
		}
	}
}

func newer(a, b election.Token) election.Token {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// checkLost compares what leaders heard with what the register did.
func (r *Report) checkLost(batches map[batchKey]*batch) {
	for key, b := range batches {
		switch {
		case b.answer == nil && b.denial == nil && b.call != nil:
			r.Unknown += len(b.call.Ops)
		case b.answer != nil && b.accepted == nil:
			r.complain(LostWrite, "%s heard that its batch %d was accepted, and the register has it not", key.who, key.number)
		case b.denial != nil && b.accepted != nil:
			r.complain(LostWrite, "%s heard that its batch %d was refused, and the register did it", key.who, key.number)
		case b.accepted != nil && b.call == nil:
			r.complain(LostWrite, "the register did batch %d of %s, which never sent it", key.number, key.who)
		}
	}
}

// checkTokens compares the tokens of a seat with the order in which it was acquired.
func (r *Report) checkTokens(records []history.Record) {
	last := map[string]history.Record{}
	for _, x := range records {
		if x.Kind != history.Held {
			continue
		}
		r.Tokens++
		if before, ok := last[x.Seat]; ok && x.Token.Compare(before.Token) <= 0 {
			r.complain(TokenOrder, "%s acquired %s with the token %s, after %s with %s", x.Who, x.Seat, x.Token, before.Who, before.Token)
		}
		last[x.Seat] = x
	}
}

// A leadership is from when its holder knew of it to when it believed in it last.
type leadership struct {
	who, seat  string
	token      election.Token
	began, end int64
	told       bool // when it ended
}

func leadershipsOf(records []history.Record) []*leadership {
	type key struct {
		who, seat string
		token     election.Token
	}
	open := map[key]*leadership{}
	var all []*leadership
	for _, x := range records {
		k := key{x.Who, x.Seat, x.Token}
		switch l := open[k]; {
		case x.Kind == history.Began:
			l = &leadership{who: x.Who, seat: x.Seat, token: x.Token, began: x.At, end: x.At}
			open[k] = l
			all = append(all, l)
		case l != nil && x.Kind == history.Ended && !l.told:
			l.end, l.told = x.At, true // a restore may give it the same seat and token again
		case l != nil && x.Kind == history.Call && !l.told:
			l.end = x.At // who is killed says no end: then the last call has to do
		}
	}
	return all
}

// A fault is something that befell a process, or all of them.
type fault struct {
	name, who string
	from, to  int64
}

func faultsOf(records []history.Record) []fault {
	open := map[[2]string]history.Record{}
	var all []fault
	for _, x := range records {
		key := [2]string{x.Note, x.Who}
		switch x.Kind {
		case history.Fault:
			open[key] = x
		case history.Healed:
			if begun, ok := open[key]; ok {
				all = append(all, fault{x.Note, x.Who, begun.At, x.At})
				delete(open, key)
			}
		}
	}
	for _, x := range open {
		all = append(all, fault{x.Note, x.Who, x.At, 1<<63 - 1})
	}
	return all
}

// checkOverlaps looks for seats that two believed to hold.
func (r *Report) checkOverlaps(records []history.Record, permits Permits, grace time.Duration) {
	all := leadershipsOf(records)
	r.Leaderships = len(all)
	faults := faultsOf(records)
	bySeat := map[string][]*leadership{}
	for _, l := range all {
		bySeat[l.seat] = append(bySeat[l.seat], l)
	}
	for _, seat := range slices.Sorted(maps.Keys(bySeat)) {
		list := bySeat[seat]
		slices.SortFunc(list, func(a, b *leadership) int { return cmp.Compare(a.began, b.began) })
		for i, a := range list {
			for _, b := range list[i+1:] {
				if b.began >= a.end {
					continue
				}
				old := a
				if b.token.Compare(a.token) < 0 {
					old = b
				}
				if cause := permitted(old, b.began, faults, permits, grace); cause != "" {
					r.Overlaps[cause]++
				} else {
					r.complain(Overlap, "%s: %s with %s and %s with %s, for %s from %d on", seat, a.who, a.token, b.who, b.token, time.Duration(min(a.end, b.end)-b.began), b.began)
				}
			}
		}
	}
}

// permitted is which fault permits that a leadership overlapped with a later one from a
// time on; "" is none.
func permitted(old *leadership, from int64, faults []fault, permits Permits, grace time.Duration) string {
	for _, f := range faults {
		toAll, named := permits[f.name]
		if !named || !toAll && f.who != old.who {
			continue
		}
		if f.from <= from && f.to+int64(grace) >= old.began && (f.to == 1<<63-1 || from <= f.to+int64(grace)) {
			return f.name
		}
	}
	return ""
}
