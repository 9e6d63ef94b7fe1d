package election

import (
	"container/heap"
	"maps"
	"slices"
	"strings"
	"time"
)

// self is what a candidate knows of itself.
type self struct {
	id    string
	lease LeaseID
	// What its own record shall say; nil when it takes no part.
	record *candidateRecord
	// What the group shall be when nobody has said it yet.
	initial Config
	// Seats that it holds and gives up, each with its successor's id, or "" for
	// whoever is next.
	release map[string]string

	// Claims are conditional on the generation that it knows.
	generation    uint64
	generationKey string
	generationAt  int64 // the revision that wrote it; 0 while there is none

	patience time.Duration // before it takes what was another's to take
	settle   time.Duration // before partitions are moved for balance alone
	policy   Policy
	planned  int // the version of the group that its last plan was for
}

const (
	// etcd takes 128 operations and as many comparisons in a transaction by default.
	maxClaims   = 100 // each a comparison and an operation
	maxPlanned  = 99  // one operation each, and the epoch's
	maxReleases = 50  // each at most two operations
	maxOrphans  = 50  // each two comparisons
)

// decide says what a candidate should write next, nil for nothing, and after how
// long it should be asked again if nothing changes, 0 for never. It is a function of
// its arguments alone (but for me.planned, which it notes).
func (g *state) decide(me *self, now time.Duration) (*Txn, time.Duration) {
	if txn := g.giveUp(me); txn != nil {
		return txn, 0
	}
	if txn := g.present(me); txn != nil {
		return txn, 0
	}
	if me.record == nil || g.candidates[me.id] == nil || !g.configured {
		return nil, 0
	}
	if !g.partitioned() {
		return g.claimSeats(me, now)
	}
	txn, wait := g.assign(me, now)
	if txn != nil {
		return txn, 0
	}
	txn, again := g.claimPartitions(me, now)
	return txn, sooner(wait, again)
}

// sooner is the shorter of two waits, of which 0 is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// giveUp hands seats over, or leaves them free where nobody waits. The same step
// says that this candidate wants fewer now.
func (g *state) giveUp(me *self) *Txn {
	var names []string
	for name := range me.release {
		if h := g.seats[name]; h != nil && h.Candidate == me.id {
			names = append(names, name)
		}
	}
	surrender := g.assigner != nil && g.assigner.Candidate == me.id && (me.record == nil || g.drains[me.id] || !g.partitioned())
	if len(names) == 0 && !surrender {
		return nil
	}
	slices.SortFunc(names, byNumber)
	names = names[:min(len(names), maxReleases)]
	txn := &Txn{If: me.sameGeneration()}
	takers := g.takers()
	taken := map[string]int{}
	for _, name := range names {
		txn.If = append(txn.If, ModifiedAt(g.keys.seat(name), g.seats[name].token))
		if next := g.successor(me, name, takers, taken); next != nil {
			taken[next.id]++
			// The condition keeps the lease from being one that has ended since: a
			// transaction with such a put would fail, and say it was our lease.
			txn.If = append(txn.If, Present(g.keys.candidate(next.id)))
			txn.Then = append(txn.Then, Put(g.keys.seat(name), encode(seatRecord{next.id, next.Name, me.generation}), next.lease))
		} else {
			txn.Then = append(txn.Then, Delete(Key(g.keys.seat(name))))
		}
		if _, asked := g.moves[name]; asked {
			txn.Then = append(txn.Then, Delete(Key(g.keys.move(name))))
		}
	}
	if surrender {
		txn.If = append(txn.If, ModifiedAt(g.keys.assigner(), g.assigner.token))
		txn.Then = append(txn.Then, Delete(Key(g.keys.assigner())))
	}
	if op, changed := g.ownRecord(me); changed {
		txn.Then = append(txn.Then, op)
	} else if me.record != nil && len(names) > 0 {
		// It wants another seat already: at the end of the queue.
		txn.Then = append(txn.Then, Put(g.keys.candidate(me.id), encode(me.record), me.lease))
	}
	return txn
}

// successor is who takes a seat over: who was asked for, who the plan names, or who
// is next; nil leaves it free.
func (g *state) successor(me *self, name string, takers []*candidate, taken map[string]int) *candidate {
	if !g.names[name] {
		return nil // a seat that the group no longer has
	}
	to := me.release[name]
	if m, asked := g.moves[name]; asked && to == "" && m.Token == g.seats[name].token {
		to = m.To
	}
	if g.partitioned() {
		to = g.plans[name].Candidate
		if c := g.candidates[to]; c != nil && to != me.id && !g.drains[to] {
			return c
		}
		return nil
	}
	var best *candidate
	for _, c := range takers {
		if c.id == me.id || g.need(c) <= taken[c.id] {
			continue
		}
		if c.id == to {
			return c
		}
		if best == nil || order(g.held[c.id]+taken[c.id], c, g.held[best.id]+taken[best.id], best) < 0 {
			best = c
		}
	}
	return best
}

// ownRecord is the operation that makes this candidate's record say what it shall.
func (g *state) ownRecord(me *self) (Op, bool) {
	there := g.candidates[me.id]
	switch {
	case me.record == nil && there == nil:
		return Op{}, false
	case me.record == nil:
		return Delete(Key(g.keys.candidate(me.id))), true
	case there != nil && there.Want == me.record.Want && there.Name == me.record.Name && maps.Equal(there.Labels, me.record.Labels):
		return Op{}, false
	}
	return Put(g.keys.candidate(me.id), encode(me.record), me.lease), true
}

// present makes the group and this candidate's record known.
func (g *state) present(me *self) *Txn {
	if !g.configured && !g.damaged && me.record != nil {
		return &Txn{
			If:   []Compare{Absent(g.keys.config())},
			Then: []Op{Put(g.keys.config(), encode(me.initial), 0)},
		}
	}
	if op, changed := g.ownRecord(me); changed {
		return &Txn{If: me.sameGeneration(), Then: []Op{op}}
	}
	return nil
}

func (me *self) sameGeneration() []Compare {
	return []Compare{ModifiedAt(me.generationKey, me.generationAt)}
}

// claim is the transaction that takes seats. A candidate whose record is gone gets
// none: its session has ended, whatever it still believes.
func (g *state) claim(me *self, names []string) *Txn {
	txn := &Txn{If: append(me.sameGeneration(), Present(g.keys.candidate(me.id)))}
	for _, name := range names {
		txn.If = append(txn.If, Absent(g.keys.seat(name)))
		txn.Then = append(txn.Then, Put(g.keys.seat(name), encode(seatRecord{me.id, me.record.Name, me.generation}), me.lease))
	}
	return txn
}

// claimSeats takes this candidate's share of the free seats, and what others have
// left lying for too long.
func (g *state) claimSeats(me *self, now time.Duration) (*Txn, time.Duration) {
	need := g.need(g.candidates[me.id])
	if need == 0 || len(g.free) == 0 {
		return nil, 0
	}
	takers := g.takers()
	if sure := g.undisputed(me, takers, min(need, maxClaims)); len(sure) > 0 {
		return g.claim(me, sure), 0
	}
	rank := slices.IndexFunc(takers, func(c *candidate) bool { return c.id == me.id })
	late := me.patience * time.Duration(rank+1)
	var mine []string
	wait := time.Duration(0)
	for name, c := range g.match(takers) {
		if c == me.id {
			mine = append(mine, name)
		} else if age := now - g.free[name]; age >= late {
			mine = append(mine, name)
		} else {
			wait = sooner(wait, late-age)
		}
	}
	if len(mine) == 0 {
		return nil, wait
	}
	slices.SortFunc(mine, byNumber)
	return g.claim(me, mine[:min(len(mine), need, maxClaims)]), wait
}

// undisputed are seats that are this candidate's whatever the others have taken since,
// where there are enough for all: those that rendezvous hashing gives it of all that
// could have them. One seat that is taken already would fail the claim of all.
func (g *state) undisputed(me *self, takers []*candidate, limit int) []string {
	total := 0
	hashes := make(map[string]uint64, len(takers))
	for _, c := range takers {
		total += g.need(c)
		hashes[c.id] = hash(c.id)
	}
	if total > len(g.free) {
		return nil
	}
	var sure []string
	for name := range g.free {
		if rendezvous(hash(name), hashes) == me.id {
			if sure = append(sure, name); len(sure) == limit {
				break
			}
		}
	}
	slices.SortFunc(sure, byNumber)
	return sure
}

// match gives each free seat, while somebody wants it, to a candidate: the next one
// always to who has fewest and has waited longest. Which seats a candidate gets of
// many is for rendezvous hashing to say, so that candidates who see the group a
// moment apart mostly agree.
func (g *state) match(takers []*candidate) map[string]string {
	queue := make(takerHeap, len(takers))
	for i, c := range takers {
		queue[i] = taker{c, g.held[c.id], g.need(c)}
	}
	names := slices.SortedFunc(maps.Keys(g.free), byNumber)
	shares := make(map[string]int, len(takers))
	given := 0
	for ; given < len(names) && len(queue) > 0; given++ {
		next := &queue[0]
		shares[next.id]++
		next.held++
		if next.need--; next.need == 0 {
			heap.Pop(&queue)
		} else {
			heap.Fix(&queue, 0)
		}
	}
	hashes := make(map[string]uint64, len(shares))
	for id := range shares {
		hashes[id] = hash(id)
	}
	matched := make(map[string]string, given)
	for _, name := range names[:given] {
		id := rendezvous(hash(name), hashes)
		matched[name] = id
		if shares[id]--; shares[id] == 0 {
			delete(hashes, id)
		}
	}
	return matched
}

type taker struct {
	*candidate
	held, need int
}

// takerHeap has the next to be given a seat first.
type takerHeap []taker

func (h takerHeap) Len() int { return len(h) }
func (h takerHeap) Less(i, j int) bool {
	return order(h[i].held, h[i].candidate, h[j].held, h[j].candidate) < 0
}
func (h takerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *takerHeap) Push(x any)   { *h = append(*h, x.(taker)) }
func (h *takerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// byNumber orders "2" before "10", numbers before other names, and those by their text.
func byNumber(a, b string) int {
	switch numberA, numberB := isNumber(a), isNumber(b); {
	case numberA != numberB:
		if numberA {
			return -1
		}
		return 1
	case numberA && len(a) != len(b):
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
