package election

import (
	"maps"
	"slices"
	"time"
)

// assign is the assigner's side of a partitioned group: it takes the assigner's seat
// when that is free, and holding it, plans who should hold which partition. A plan's
// transactions are each conditional on the assigner's token; since partitions do not
// depend on each other, any prefix of them is a plan too.
func (g *state) assign(me *self, now time.Duration) (*Txn, time.Duration) {
	if g.drains[me.id] {
		return nil, 0
	}
	if g.assigner == nil {
		return g.claimAssigner(me, now)
	}
	if g.assigner.Candidate != me.id || me.planned == g.version {
		return nil, 0
	}
	candidates := g.eligible()
	if len(candidates) == 0 {
		return nil, 0
	}
	current := g.current()
	target := g.target(me.policy, candidates, current)
	wait := me.settle - (now - g.changed)
	var ops []Op
	for _, p := range g.config.Partitions {
		to := target[p]
		if current[p] != "" && wait > 0 {
			to = current[p] // what has a holder moves for balance's sake alone: later
		}
		if to != "" && to != g.plans[p].Candidate {
			ops = append(ops, Put(g.keys.plan(p), encode(planRecord{to, g.epoch + 1}), 0))
		}
	}
	for p := range g.plans {
		if !g.names[p] {
			ops = append(ops, Delete(Key(g.keys.plan(p))))
		}
	}
	if len(ops) == 0 {
		if wait > 0 {
			return nil, wait
		}
		me.planned = g.version
		return nil, 0
	}
	ops = append(ops[:min(len(ops), maxPlanned)], Put(g.keys.epoch(), encode(g.epoch+1), 0))
	return &Txn{If: append(me.sameGeneration(), ModifiedAt(g.keys.assigner(), g.assigner.token)), Then: ops}, 0
}

// claimAssigner takes the assigner's seat: who came first at once, others if that
// one does not.
func (g *state) claimAssigner(me *self, now time.Duration) (*Txn, time.Duration) {
	candidates := g.eligible()
	slices.SortFunc(candidates, func(a, b *candidate) int { return order(0, a, 0, b) })
	rank := slices.IndexFunc(candidates, func(c *candidate) bool { return c.id == me.id })
	if wait := me.patience*time.Duration(rank) - (now - g.unassigned); wait > 0 {
		return nil, wait
	}
	return &Txn{
		If:   append(me.sameGeneration(), Present(g.keys.candidate(me.id)), Absent(g.keys.assigner())),
		Then: []Op{Put(g.keys.assigner(), encode(seatRecord{me.id, me.record.Name, me.generation}), me.lease)},
	}, 0
}

// current is who holds each partition or, by the plan, is about to.
func (g *state) current() map[string]string {
	current := make(map[string]string, len(g.config.Partitions))
	takes := func(id string) bool { return g.candidates[id] != nil && !g.drains[id] }
	for _, p := range g.config.Partitions {
		if id := g.plans[p].Candidate; takes(id) {
			current[p] = id
		} else if h := g.seats[p]; h != nil && takes(h.Candidate) {
			current[p] = h.Candidate
		}
	}
	return current
}

// target is what the policy says, as far as it is possible.
func (g *state) target(policy Policy, candidates []*candidate, current map[string]string) map[string]string {
	public := make([]Candidate, len(candidates))
	for i, c := range candidates {
		public[i] = g.public(c)
	}
	partitions := slices.Sorted(slices.Values(g.config.Partitions))
	target := policy.Assign(partitions, public, maps.Clone(current))
	for p, id := range target {
		if c := g.candidates[id]; c == nil || g.drains[id] {
			delete(target, p)
		}
	}
	return target
}

// claimPartitions takes the free partitions that the plan names this candidate for.
// Those whose planned candidate is gone are its own to take where no assigner lives,
// or none has planned for a while: as the policy says, and after that in rendezvous
// order.
func (g *state) claimPartitions(me *self, now time.Duration) (*Txn, time.Duration) {
	if g.drains[me.id] {
		return nil, 0
	}
	var mine, orphans []string
	wait := time.Duration(0)
	for p, since := range g.free {
		switch planned := g.plans[p].Candidate; {
		case planned == me.id:
			mine = append(mine, p)
		case g.candidates[planned] != nil && !g.drains[planned]:
			// Its planned holder takes it.
		case g.assigner != nil && now-since < me.patience:
			wait = sooner(wait, me.patience-(now-since))
		default:
			orphans = append(orphans, p)
		}
	}
	if len(orphans) > 0 {
		candidates := g.eligible()
		target := g.target(me.policy, candidates, g.current())
		for _, p := range orphans {
			rank := 0
			if target[p] != me.id {
				rank = 1 + slices.IndexFunc(ranked(p, candidates), func(c *candidate) bool { return c.id == me.id })
			}
			late := me.patience * time.Duration(rank)
			if g.assigner != nil {
				late += me.patience
			}
			if age := now - g.free[p]; age >= late {
				mine = append(mine, p)
			} else {
				wait = sooner(wait, late-age)
			}
		}
	}
	if len(mine) == 0 {
		return nil, wait
	}
	slices.Sort(mine)
	mine = mine[:min(len(mine), maxOrphans)]
	txn := g.claim(me, mine)
	for _, p := range mine {
		txn.If = append(txn.If, ModifiedAt(g.keys.plan(p), g.plans[p].modified))
	}
	return txn, wait
}
