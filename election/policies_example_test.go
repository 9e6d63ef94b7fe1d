package election_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"towpath.dev/election"
)

// byPriority gives all partitions to the candidates with the highest label "priority",
// and spreads them over those as Balanced does. A candidate without one has 0.
func byPriority(partitions []string, candidates []election.Candidate, current map[string]string) map[string]string {
	priority := func(c election.Candidate) int {
		p, _ := strconv.Atoi(c.Labels["priority"])
		return p
	}
	highest := priority(slices.MaxFunc(candidates, func(a, b election.Candidate) int { return cmp.Compare(priority(a), priority(b)) }))
	first := slices.DeleteFunc(slices.Clone(candidates), func(c election.Candidate) bool { return priority(c) < highest })
	among := map[string]bool{}
	for _, c := range first {
		among[c.ID] = true
	}
	maps.DeleteFunc(current, func(_, id string) bool { return !among[id] }) // current is ours to change
	return election.Balanced.Assign(partitions, first, current)
}

// A policy is a function: partitions go to the standby site only while nobody of the
// first one lives.
func ExamplePolicy_priority() {
	policy := election.PolicyFunc(byPriority)
	partitions := []string{"a", "b"}
	main := election.Candidate{ID: "1", Labels: map[string]string{"priority": "10"}}
	standby := election.Candidate{ID: "2", Labels: map[string]string{"priority": "5"}}
	both := policy.Assign(partitions, []election.Candidate{main, standby}, map[string]string{})
	fmt.Println("both live:", both["a"], both["b"])
	one := policy.Assign(partitions, []election.Candidate{standby}, map[string]string{})
	fmt.Println("main is gone:", one["a"], one["b"])
	back := policy.Assign(partitions, []election.Candidate{main, standby}, one)
	fmt.Println("main is back:", back["a"], back["b"])
	// Output:
	// both live: 1 1
	// main is gone: 2 2
	// main is back: 1 1
}

// spreadZones spreads the replicas of each shard evenly over the zones, which are the
// candidates' labels "zone": into different ones where there are as many. Within a zone
// candidates have as many as each other, or one more. Partitions are named
// SHARD.REPLICA. What can stay in its zone does, so that a zone which comes does not
// take from others but replicas that had to share one.
func spreadZones(partitions []string, candidates []election.Candidate, current map[string]string) map[string]string {
	in := map[string][]election.Candidate{} // by zone
	zoneOf := map[string]string{}
	for _, c := range candidates {
		zone := c.Labels["zone"]
		in[zone] = append(in[zone], c)
		zoneOf[c.ID] = zone
	}
	zones := slices.Sorted(maps.Keys(in))
	shard := func(partition string) string {
		name, _, _ := strings.Cut(partition, ".")
		return name
	}
	replicas := map[string]int{}
	for _, p := range partitions {
		replicas[shard(p)]++
	}

	type place struct{ shard, zone string }
	of := make(map[string][]string, len(zones)) // partitions by zone
	count, full := map[place]int{}, map[string]int{}
	put := func(p, zone string) {
		of[zone] = append(of[zone], p)
		count[place{shard(p), zone}]++
	}
	var rest []string
	for _, p := range partitions { // what stays in its zone
		s := shard(p)
		least, extra := replicas[s]/len(zones), replicas[s]%len(zones)
		zone, held := zoneOf[current[p]]
		switch n := count[place{s, zone}]; {
		case held && n < least:
			put(p, zone)
		case held && n == least && full[s] < extra: // one of those with one more
			full[s]++
			put(p, zone)
		default:
			rest = append(rest, p)
		}
	}
	for _, p := range rest { // the others go where fewest are of their shard, then of all
		s := shard(p)
		put(p, slices.MinFunc(zones, func(a, b string) int {
			return cmp.Or(
				cmp.Compare(count[place{s, a}], count[place{s, b}]),
				cmp.Compare(len(of[a])*len(in[b]), len(of[b])*len(in[a])))
		}))
	}
	assigned := make(map[string]string, len(partitions))
	for zone, list := range of {
		here := map[string]string{}
		for _, p := range list {
			if c := current[p]; zoneOf[c] == zone && c != "" {
				here[p] = c
			}
		}
		slices.Sort(list)
		maps.Copy(assigned, election.Balanced.Assign(list, in[zone], here))
	}
	return assigned
}

func ExamplePolicy_zones() {
	candidates := []election.Candidate{
		{ID: "1", Labels: map[string]string{"zone": "east"}},
		{ID: "2", Labels: map[string]string{"zone": "east"}},
		{ID: "3", Labels: map[string]string{"zone": "west"}},
		{ID: "4", Labels: map[string]string{"zone": "west"}},
	}
	partitions := []string{"orders-0.a", "orders-0.b", "orders-1.a", "orders-1.b"}
	to := election.PolicyFunc(spreadZones).Assign(partitions, candidates, map[string]string{})
	zone := map[string]string{"1": "east", "2": "east", "3": "west", "4": "west"}
	for _, p := range partitions {
		fmt.Println(p, "goes", zone[to[p]])
	}
	// Output:
	// orders-0.a goes east
	// orders-0.b goes west
	// orders-1.a goes east
	// orders-1.b goes west
}

// A session that takes part with a policy of one's own.
func ExamplePolicy() {
	run := func(ctx context.Context, s *election.Session, lead func(context.Context, *election.Leadership) error) error {
		p, err := s.Partitions("orders", election.PartitionsOptions{
			Partitions: []string{"orders-0.a", "orders-0.b", "orders-1.a", "orders-1.b"},
			Policy:     election.PolicyFunc(spreadZones),
			Labels:     map[string]string{"zone": "east"},
		})
		if err != nil {
			return err
		}
		return p.Run(ctx, lead)
	}
	_ = run
}

// fleet is candidates that come and go, with partitions that follow them.
type fleet struct {
	random     *rand.Rand
	policy     election.Policy
	labels     func(i int) map[string]string
	partitions []string
	candidates []election.Candidate
	current    map[string]string
	born       int
}

func newFleet(t *testing.T, policy election.Policy, labels func(i int) map[string]string) *fleet {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &fleet{random: rand.New(rand.NewPCG(seed, 0)), policy: policy, labels: labels, current: map[string]string{}}
}

func (f *fleet) join() {
	f.born++
	id := fmt.Sprintf("%016x", f.random.Uint64())
	f.candidates = append(f.candidates, election.Candidate{ID: id, Labels: f.labels(f.born)})
	slices.SortFunc(f.candidates, func(a, b election.Candidate) int { return strings.Compare(a.ID, b.ID) })
}

// leave has one of the candidates go, and is how many partitions lose their holder.
func (f *fleet) leave() int {
	i := f.random.IntN(len(f.candidates))
	id := f.candidates[i].ID
	f.candidates = slices.Delete(f.candidates, i, i+1)
	before := len(f.current)
	maps.DeleteFunc(f.current, func(_, holder string) bool { return holder == id })
	return before - len(f.current)
}

// assign asks the policy, and is how many partitions went to another candidate than
// they had, those that had none included.
func (f *fleet) assign(t *testing.T) (moved int) {
	t.Helper()
	to := f.policy.Assign(slices.Clone(f.partitions), slices.Clone(f.candidates), maps.Clone(f.current))
	for range 3 { // maps that are made and read in another order
		again := map[string]string{}
		for _, p := range f.random.Perm(len(f.partitions)) {
			if c, ok := f.current[f.partitions[p]]; ok {
				again[f.partitions[p]] = c
			}
		}
		if !maps.Equal(to, f.policy.Assign(slices.Clone(f.partitions), slices.Clone(f.candidates), again)) {
			t.Fatal("the same question has two answers")
		}
	}
	for _, p := range f.partitions {
		if !slices.ContainsFunc(f.candidates, func(c election.Candidate) bool { return c.ID == to[p] }) {
			t.Fatalf("%s goes to %q, which is no candidate", p, to[p])
		}
		if to[p] != f.current[p] {
			moved++
		}
	}
	f.current = to
	return moved
}

// loads are how many partitions the least and the most loaded candidate have.
func (f *fleet) loads() (least, most int) {
	counts := map[string]int{}
	for _, c := range f.candidates {
		counts[c.ID] = 0
	}
	for _, id := range f.current {
		counts[id]++
	}
	all := slices.Sorted(maps.Values(counts))
	return all[0], all[len(all)-1]
}

func TestBalanced(t *testing.T) {
	for range 40 {
		f := newFleet(t, election.Balanced, func(int) map[string]string { return nil })
		for i := range 1 + f.random.IntN(200) {
			f.partitions = append(f.partitions, fmt.Sprintf("p%03d", i))
		}
		for range 1 + f.random.IntN(20) {
			f.join()
		}
		f.assign(t)
		for range 20 {
			joins := len(f.candidates) == 1 || f.random.IntN(2) == 0
			orphans := 0
			if joins {
				f.join()
			} else {
				orphans = f.leave()
			}
			n := len(f.candidates)
			moved := f.assign(t)
			if bound := (len(f.partitions)+n-1)/n + 1; moved > bound {
				t.Fatalf("%d partitions, now %d candidates: %d moves, expected at most %d", len(f.partitions), n, moved, bound)
			}
			if !joins && moved != orphans {
				t.Fatalf("%d partitions lost their holder, and %d moved", orphans, moved)
			}
			if least, most := f.loads(); most-least > 1 {
				t.Fatalf("%d partitions, %d candidates: they hold %d to %d", len(f.partitions), n, least, most)
			}
			if again := f.assign(t); again != 0 {
				t.Fatalf("%d moves though nothing changed", again)
			}
		}
		// However unfair it was before, no more moves than fairness takes.
		for _, p := range f.partitions {
			f.current[p] = f.candidates[min(f.random.IntN(len(f.candidates)), f.random.IntN(len(f.candidates)))].ID
		}
		counts := map[string]int{}
		for _, id := range f.current {
			counts[id]++
		}
		share, extra, needed := len(f.partitions)/len(f.candidates), len(f.partitions)%len(f.candidates), 0
		for i, held := range slices.Backward(slices.Sorted(maps.Values(counts))) {
			quota := share
			if len(counts)-1-i < extra {
				quota++
			}
			needed += max(held-quota, 0)
		}
		if moved := f.assign(t); moved != needed {
			t.Fatalf("%d moves, expected %d", moved, needed)
		}
	}
}

func TestByPriority(t *testing.T) {
	for range 100 {
		f := newFleet(t, election.PolicyFunc(byPriority), func(i int) map[string]string {
			return []map[string]string{nil, {"priority": "1"}, {"priority": "10"}, {"priority": "9"}, {"priority": "high"}}[i%5]
		})
		f.partitions = []string{"a", "b", "c", "d", "e"}
		for range 1 + f.random.IntN(10) {
			f.join()
		}
		for range 20 {
			if len(f.candidates) == 1 || f.random.IntN(2) == 0 {
				f.join()
			} else {
				f.leave()
			}
			f.assign(t)
			highest, holders := 0, map[string]int{}
			priority := map[string]int{}
			for _, c := range f.candidates {
				priority[c.ID], _ = strconv.Atoi(c.Labels["priority"])
				highest = max(highest, priority[c.ID])
			}
			for p, id := range f.current {
				holders[id]++
				if priority[id] != highest {
					t.Fatalf("%s is at priority %d, and there is %d", p, priority[id], highest)
				}
			}
			if f.assign(t) != 0 {
				t.Fatal("moves though nothing changed")
			}
		}
	}
}

func TestSpreadZones(t *testing.T) {
	for range 50 {
		zones := 0
		f := newFleet(t, election.PolicyFunc(spreadZones), func(i int) map[string]string {
			return map[string]string{"zone": fmt.Sprint("z", i%zones)}
		})
		zones = 1 + f.random.IntN(4)
		shards, replicas := 1+f.random.IntN(10), 1+f.random.IntN(5)
		for s := range shards {
			for r := range replicas {
				f.partitions = append(f.partitions, fmt.Sprintf("orders-%d.%c", s, 'a'+r))
			}
		}
		for range 1 + f.random.IntN(12) {
			f.join()
		}
		f.assign(t)
		for range 20 {
			before, had, orphans := f.zones(), maps.Clone(f.current), 0
			joins := len(f.candidates) == 1 || f.random.IntN(2) == 0
			if joins {
				f.join()
			} else {
				orphans = f.leave()
			}
			moved := f.assign(t)
			live := f.zones()
			zoneOf := map[string]string{}
			for _, c := range f.candidates {
				zoneOf[c.ID] = c.Labels["zone"]
			}
			for s := range shards {
				in := map[string]int{}
				for r := range replicas {
					in[zoneOf[f.current[fmt.Sprintf("orders-%d.%c", s, 'a'+r)]]]++
				}
				counts := slices.Sorted(maps.Values(in))
				if len(in) != min(replicas, live) || counts[len(counts)-1]-counts[0] > 1 {
					t.Fatalf("the %d replicas of a shard are in the zones %v, of %d", replicas, in, live)
				}
			}
			// Where the zones stay as many, what moves is what has lost its holder, or goes
			// to who has joined.
			if !joins && before == live && moved != orphans {
				t.Fatalf("%d partitions lost their holder, and %d moved", orphans, moved)
			}
			if to := f.gained(had); joins && before == live && to > 1 {
				t.Fatalf("one joined, and %d candidates have more than before", to)
			}
			if again := f.assign(t); again != 0 {
				t.Fatalf("%d moves though nothing changed", again)
			}
		}
	}
}

// zones are how many zones have a candidate.
func (f *fleet) zones() int {
	in := map[string]bool{}
	for _, c := range f.candidates {
		in[c.Labels["zone"]] = true
	}
	return len(in)
}

// gained is how many candidates have partitions that they had not before.
func (f *fleet) gained(before map[string]string) int {
	by := map[string]bool{}
	for p, id := range f.current {
		if before[p] != id {
			by[id] = true
		}
	}
	return len(by)
}
