package election

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
)

// A Policy spreads partitions over candidates. It must be a function of its
// arguments alone: candidates that have to do without an assigner compute it too.
type Policy interface {
	// Assign names a candidate for each partition. Partitions that are left out
	// stay where they are; those named to a candidate that is not among the
	// candidates are treated as left out.
	//
	// current is who holds each partition or is about to; it has no entry for
	// those without such a candidate. Both lists are sorted and never empty.
	Assign(partitions []string, candidates []Candidate, current map[string]string) map[string]string
}

// A Candidate is a session that takes part in a group.
type Candidate struct {
	ID     string
	Name   string            // for people
	Labels map[string]string // what it said of itself: zone, priority, …
	Want   int               // how many seats it would hold in all; partitions ignore it
	Held   int
	// Draining is true for one that shall take nothing new.
	Draining bool
}

// A PolicyFunc is a function as a Policy.
type PolicyFunc func(partitions []string, candidates []Candidate, current map[string]string) map[string]string

// Assign calls f.
func (f PolicyFunc) Assign(partitions []string, candidates []Candidate, current map[string]string) map[string]string {
	return f(partitions, candidates, current)
}

// Balanced gives each candidate as many partitions as any other, or one more, and
// moves as few as that takes: those without a candidate, and what is too much for
// those that have too many. Where a partition could go to several, rendezvous hashing
// decides (Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998).
var Balanced Policy = PolicyFunc(balanced)

func balanced(partitions []string, candidates []Candidate, current map[string]string) map[string]string {
	owned := make(map[string][]string, len(candidates))
	for _, p := range partitions {
		if c := current[p]; c != "" {
			owned[c] = append(owned[c], p)
		}
	}
	// Who has most keeps one more than its share, while there are some to have.
	byLoad := slices.Clone(candidates)
	slices.SortStableFunc(byLoad, func(a, b Candidate) int { return len(owned[b.ID]) - len(owned[a.ID]) })
	share, extra := len(partitions)/len(candidates), len(partitions)%len(candidates)
	assigned := make(map[string]string, len(partitions))
	room := make(map[string]int, len(candidates))
	for i, c := range byLoad {
		quota := share
		if i < extra {
			quota++
		}
		keep := owned[c.ID]
		if len(keep) > quota {
			mine := hash(c.ID)
			slices.SortFunc(keep, func(a, b string) int { return cmp.Compare(score(hash(b), mine), score(hash(a), mine)) })
			keep = keep[:quota]
		}
		for _, p := range keep {
			assigned[p] = c.ID
		}
		room[c.ID] = quota - len(keep)
	}
	hashes := make(map[string]uint64, len(candidates))
	for _, c := range candidates {
		if room[c.ID] > 0 {
			hashes[c.ID] = hash(c.ID)
		}
	}
	for _, p := range partitions {
		if assigned[p] != "" {
			continue
		}
		c := rendezvous(hash(p), hashes)
		assigned[p] = c
		if room[c]--; room[c] == 0 {
			delete(hashes, c)
		}
	}
	return assigned
}

// rendezvous is whose score with the key is greatest.
func rendezvous(key uint64, of map[string]uint64) string {
	best, top := "", uint64(0)
	for id, h := range of {
		if s := score(key, h); best == "" || s > top || s == top && id < best {
			best, top = id, s
		}
	}
	return best
}

// ranked are the candidates in a key's rendezvous order.
func ranked(key string, candidates []*candidate) []*candidate {
	list, h := slices.Clone(candidates), hash(key)
	slices.SortFunc(list, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(score(h, hash(b.id)), score(h, hash(a.id))), cmp.Compare(a.id, b.id))
	})
	return list
}

// hash is FNV-1a: the same in every process.
func hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// score mixes two hashes so that each bit of both counts (the finaliser of
// MurmurHash3 over their combination).
func score(a, b uint64) uint64 {
	h := a ^ bits.RotateLeft64(b, 32)
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// public is a candidate as policies and observers see it.
func (g *state) public(c *candidate) Candidate {
	return Candidate{ID: c.id, Name: c.Name, Labels: maps.Clone(c.Labels), Want: c.Want, Held: g.held[c.id], Draining: g.drains[c.id]}
}
