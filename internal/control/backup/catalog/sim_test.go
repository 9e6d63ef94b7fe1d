package catalog_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "the first seed of property tests")
	seedsFlag = flag.Int("seeds", 20, "how many seeds property tests take")
)

// A world is a store that is written to, its backup, and what time it is: all that a plan is
// made for, and what it must not harm.
type world struct {
	t      *testing.T
	random *rand.Rand
	policy catalog.Policy
	steps  bool // the clock is turned forwards and back

	now       time.Time
	seen      []time.Time // of each revision; those of 0 and 1 are the beginning
	compacted int64
	uploaded  int64
	bases     map[int64]catalog.Base
	logs      map[name]object
	behind    []catalog.Dictionary // that are there, as they were stored
	late      []object             // uploads under way, of an uploader that stalled
	stale     bool                 // what is done is of an old plan
	history   []string
}

type name struct {
	level catalog.Level
	start int64
}

// An object has the revisions that are left in it.
type object struct {
	catalog.Log
	rows []int64
}

func newWorld(t *testing.T, seed uint64, policy catalog.Policy, steps bool) *world {
	return &world{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), policy: policy, steps: steps,
		now: day0, seen: []time.Time{day0, day0}, uploaded: 1,
		bases: map[int64]catalog.Base{}, logs: map[name]object{},
	}
}

func (w *world) head() int64 { return int64(len(w.seen) - 1) }

// key is what a revision changed.
func key(revision int64) int64 { return revision * 2654435761 % 1000 % 7 }

func (w *world) catalog() catalog.Catalog {
	var c catalog.Catalog
	for _, revision := range slices.Sorted(maps.Keys(w.bases)) {
		c.Bases = append(c.Bases, w.bases[revision])
	}
	names := slices.SortedFunc(maps.Keys(w.logs), func(a, b name) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.start, b.start))
	})
	for _, n := range names {
		if l := w.logs[n].Log; w.readable(l) {
			c.Logs = append(c.Logs, l)
		} else {
			c.Lost = append(c.Lost, l)
		}
	}
	c.Dictionaries = slices.Clone(w.behind)
	return c
}

// readable says whether the dictionary of an object is there.
func (w *world) readable(l catalog.Log) bool {
	return l.Dictionary == "" || slices.ContainsFunc(w.behind, func(d catalog.Dictionary) bool { return d.Name == l.Dictionary })
}

// dictionary is what an uploader writes behind: the newest one, as it was up to a day ago. Where
// nobody does old plans, it may be any that is there.
func (w *world) dictionary() string {
	if n := len(w.behind); w.steps && n > 0 && w.random.IntN(4) == 0 {
		return w.behind[w.random.IntN(n)].Name
	}
	looked := w.now.Add(-time.Duration(w.random.Int64N(int64(catalog.Fresh))))
	known := catalog.Catalog{Dictionaries: slices.DeleteFunc(slices.Clone(w.behind), func(d catalog.Dictionary) bool { return d.Time.After(looked) })}
	newest, _ := known.NewestDictionary()
	return newest.Name
}

func (w *world) note(format string, args ...any) {
	w.history = append(w.history, w.now.Format("01-02 15:04 ")+fmt.Sprintf(format, args...))
}

// live lets the store and its backup go on for a while.
func (w *world) live() {
	w.now = w.now.Add(time.Duration(1+w.random.IntN(40)) * time.Minute)
	switch w.random.IntN(60) {
	case 0:
		w.now = w.now.Add(time.Duration(w.random.IntN(40)) * hour)
	case 1:
		if w.steps {
			w.now = w.now.Add(time.Duration(w.random.IntN(60)-30) * hour)
			w.note("the clock is turned")
		}
	}
	for range w.random.IntN(5) {
		w.now = w.now.Add(time.Duration(w.random.IntN(60)) * time.Second)
		w.seen = append(w.seen, w.now)
	}
	switch w.random.IntN(40) {
	case 0: // compaction is faster than the uploader
		w.uploaded = w.head() - w.random.Int64N(3)
		w.compacted = w.uploaded
		w.base()
	case 1:
		w.compacted = max(w.compacted, w.head()-w.random.Int64N(50))
		w.base()
	}
	if due, reason := w.catalog().BaseDue(w.policy, w.now); due {
		w.note("base: %s", reason)
		w.base()
	}
	if w.random.IntN(4) > 0 {
		w.upload()
	}
	w.late = slices.DeleteFunc(w.late, func(o object) bool {
		arrives := w.random.IntN(40) == 0
		if arrives {
			w.put(o)
		}
		return arrives
	})
}

func (w *world) base() {
	at := w.head()
	if at < 1 {
		return
	}
	w.bases[at] = catalog.Base{Revision: at, Compacted: w.compacted, Time: w.now, Size: 500 + w.random.Int64N(500), Raw: 5000}
	w.behind = append(w.behind, catalog.Dictionary{Name: fmt.Sprintf("%d of %s", at, w.now), Time: w.now})
	w.note("base at %d from %d", at, w.compacted)
}

func (w *world) upload() {
	first := max(1, w.uploaded-max(0, w.random.Int64N(12)-9)) + 1 // sometimes again what another one uploaded
	last := w.head()
	if last < first {
		return
	}
	// An object has one order of times; a clock that is turned back ends it.
	for r := first + 1; r <= last; r++ {
		if w.seen[r].Before(w.seen[r-1]) {
			last = r - 1
		}
	}
	o := object{Log: catalog.Log{Start: first, End: last, From: w.seen[first], To: w.seen[last], Size: 10 + 5*(last-first), Raw: 100, Dictionary: w.dictionary()}}
	if w.random.IntN(50) == 0 {
		o.Size = catalog.MaxObject * 2 / 3
	}
	for r := first; r <= last; r++ {
		o.rows = append(o.rows, r)
	}
	w.uploaded = max(w.uploaded, last)
	if w.random.IntN(50) == 0 {
		w.late = append(w.late, o) // a gap, perhaps for ever
		return
	}
	w.put(o)
}

// put creates an object unless there is one of its name.
func (w *world) put(o object) bool {
	n := name{o.Level, o.Start}
	if _, exists := w.logs[n]; exists {
		return false
	}
	w.logs[n] = o
	w.note("%s %d-%d", o.Log, o.Start, o.End)
	return true
}

// An action is one part of a plan.
type action func()

func (w *world) actions(p catalog.Plan) []action {
	var all []action
	for _, r := range slices.Concat(p.Merge, p.Thin) {
		all = append(all, func() { w.rewrite(r) })
	}
	for _, d := range p.Delete {
		w.covered(p, d)
		all = append(all, func() { w.delete(d) })
	}
	w.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// covered sees to it that what others have names these others: objects that have all its revisions, or
// a base that stays.
func (w *world) covered(p catalog.Plan, d catalog.Deletion) {
	if d.Log != nil && strings.Contains(d.Reason, "objects of higher levels") {
		next := d.Log.Start
		for _, by := range d.By {
			if by.Level <= d.Log.Level || by.Start > next || by.End < next {
				w.t.Fatalf("%v %d-%d is to be deleted for %+v", d, d.Log.Start, d.Log.End, d.By)
			}
			next = by.End + 1
		}
		if next <= d.Log.End {
			w.t.Fatalf("%v %d-%d is to be deleted for %+v", d, d.Log.Start, d.Log.End, d.By)
		}
	}
	if !strings.Contains(d.Reason, "base/") {
		return
	}
	if d.Behind == nil || slices.ContainsFunc(p.Delete, func(other catalog.Deletion) bool { return other.Base != nil && *other.Base == *d.Behind }) {
		w.t.Fatalf("%v is to be deleted for %v, which goes too: %s", d, d.Behind, d.Reason)
	}
}

func (w *world) delete(d catalog.Deletion) {
	if d.Log != nil {
		if o := w.logs[name{d.Log.Level, d.Log.Start}]; o.End != d.Log.End {
			return // another object took the name
		}
		w.note("delete %v %d-%d: %s", d.Log, d.Log.Start, d.Log.End, d.Reason)
		delete(w.logs, name{d.Log.Level, d.Log.Start})
	} else if d.Dictionary != nil {
		w.note("delete the dictionary %s: %s", d.Dictionary.Name, d.Reason)
		w.behind = slices.DeleteFunc(w.behind, func(x catalog.Dictionary) bool { return x.Name == d.Dictionary.Name })
	} else {
		w.note("delete %v: %s", d.Base, d.Reason)
		delete(w.bases, d.Base.Revision)
	}
}

// rewrite does what the package that writes objects does.
func (w *world) rewrite(r catalog.Rewrite) {
	size := int64(0)
	at, rows, points := r.First-1, []int64{}, []catalog.Point{}
	for _, l := range r.Inputs {
		o, there := w.logs[name{l.Level, l.Start}]
		if !there {
			return // somebody else was here
		}
		if o.Start > at+1 || o.End <= at || o.End > r.Last {
			w.t.Fatalf("%+v: input %v does not reach on from %d", r, o.Log, at)
		}
		for _, row := range o.rows {
			if row > at {
				rows = append(rows, row)
				if o.Points == nil {
					points = append(points, catalog.Point{Revision: row, Time: w.seen[row]})
				}
			}
		}
		for _, p := range o.Points {
			if p.Revision > at {
				points = append(points, p)
			}
		}
		at = o.End
		size += o.Size
	}
	if at != r.Last || len(r.Inputs) > 1 && size > catalog.MaxObject {
		w.t.Fatalf("%+v: it ends at %d, of %d bytes", r, at, size)
	}
	o := object{Log: catalog.Log{Level: r.Level, Start: r.First, End: r.Last, From: points[0].Time, To: points[len(points)-1].Time, Size: size, Raw: 100}, rows: rows}
	switch r.Level {
	case catalog.HourPoints:
		o.thin(points, hour)
	case catalog.DayPoints:
		o.thin(points, day)
	}
	if !w.put(o) && !w.stale {
		w.fatalf("%+v: its name is taken", r)
	}
}

// thin keeps the points that were the newest at a whole step, and of each key its last
// change up to each of them.
func (o *object) thin(points []catalog.Point, step time.Duration) {
	for i, p := range points {
		if i == len(points)-1 || points[i+1].Time.After(ceil(p.Time, step)) {
			o.Points = append(o.Points, p)
		}
	}
	var rows []int64
	for _, p := range o.Points {
		last := map[int64]int64{}
		for len(o.rows) > 0 && o.rows[0] <= p.Revision {
			last[key(o.rows[0])] = o.rows[0]
			o.rows = o.rows[1:]
		}
		rows = append(rows, slices.Sorted(maps.Values(last))...)
	}
	o.rows = rows
	o.Size = int64(len(rows))
}

func ceil(t time.Time, step time.Duration) time.Time {
	if down := t.Truncate(step); !down.Equal(t) {
		return down.Add(step)
	}
	return t
}

// kept is the revisions that a policy keeps, by what the store itself knows. Where can says
// which can be restored, it is the newest of these as well as the newest of all.
func (w *world) kept(can map[int64]bool) []int64 {
	type sight struct {
		revision int64
		time     time.Time
	}
	var sights []sight
	for r := int64(1); r <= w.head(); r++ {
		sights = append(sights, sight{r, w.seen[r]})
	}
	slices.SortStableFunc(sights, func(a, b sight) int { return a.time.Compare(b.time) })
	var kept []int64
	instants := func(reach, step time.Duration) {
		newest, restorable, i := int64(0), int64(0), 0
		for t := ceil(w.now.Add(-reach), step); reach > 0 && !t.After(w.now); t = t.Add(step) {
			for ; i < len(sights) && !sights[i].time.After(t); i++ {
				newest = max(newest, sights[i].revision)
				if can[sights[i].revision] {
					restorable = max(restorable, sights[i].revision)
				}
			}
			kept = append(kept, newest, restorable)
		}
	}
	instants(w.policy.Any, w.policy.Any+1) // only its beginning
	instants(w.policy.Hours, hour)
	instants(w.policy.Days, day)
	for r := int64(1); r <= w.head() && w.policy.Any > 0; r++ {
		if !w.seen[r].Before(w.now.Add(-w.policy.Any)) {
			kept = append(kept, r)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(kept)))
}

// dated reports whether a backup tells when a revision was seen: a base has but the time at
// which it was made, and a thinned object those of its points.
func (w *world) dated(revision int64) bool {
	for _, o := range w.logs {
		if o.Points == nil && o.Start <= revision && revision <= o.End ||
			slices.ContainsFunc(o.Points, func(p catalog.Point) bool { return p.Revision == revision }) {
			return true
		}
	}
	return false
}

func restorable(c catalog.Catalog) map[int64]bool {
	can := map[int64]bool{}
	for _, s := range c.Restorable() {
		for r := s.First; r <= s.Last; r++ {
			can[r] = true
		}
	}
	return can
}

// do does some actions, and checks after each that nothing is lost.
func (w *world) do(actions []action) {
	for _, act := range actions {
		c := w.catalog()
		before := restorable(c)
		var kept []int64
		for _, r := range w.kept(before) {
			if before[r] && w.dated(r) {
				kept = append(kept, r)
			}
		}
		act()
		for _, l := range c.Logs {
			if o, there := w.logs[name{l.Level, l.Start}]; there && !w.readable(o.Log) {
				w.fatalf("%v cannot be read without %q", l, o.Dictionary)
			}
		}
		after := restorable(w.catalog())
		for _, r := range kept {
			if !after[r] {
				w.fatalf("%d, seen %v, could be restored before, by %s", r, w.seen[r], list(c))
			}
		}
	}
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.history[max(0, len(w.history)-150):] {
		w.t.Log(line)
	}
	w.t.Fatalf("%s under %q: %s", w.now.Format("01-02 15:04"), w.policy, fmt.Sprintf(format, args...))
}

// restore does what a chain says, and compares with what the store was.
func (w *world) restore(revision int64) {
	chain, err := w.catalog().Chain(revision)
	if err != nil {
		w.fatalf("restore: %v", err)
	}
	state := map[int64]int64{}
	for r := int64(2); r <= min(revision, chain.Base.Revision); r++ {
		state[key(r)] = r
	}
	for _, s := range chain.Steps {
		for _, row := range w.logs[name{s.Log.Level, s.Log.Start}].rows {
			if s.First <= row && row <= s.Last {
				state[key(row)] = row
			}
		}
	}
	want := map[int64]int64{}
	for r := int64(2); r <= revision; r++ {
		want[key(r)] = r
	}
	if !maps.Equal(state, want) {
		w.fatalf("%s to %d restores %v, want %v", show(chain), revision, state, want)
	}
}

// TestPlansKeepWhatIsKept lets stores live for weeks, does parts of plans in any order, and
// old plans, and checks after every step that each point that is kept can be restored
// as before. In the end all that may go has to go.
func TestPlansKeepWhatIsKept(t *testing.T) {
	for i := range *seedsFlag {
		seed := *seedFlag + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, seed) })
	}
}

func simulate(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	var policy catalog.Policy
	for policy.Any = 0; policy.Reach() == 0; {
		if random.IntN(4) > 0 {
			policy.Any = time.Duration(1+random.IntN(12)) * hour
		}
		if random.IntN(4) > 0 {
			policy.Hours = policy.Any + time.Duration(1+random.IntN(60))*hour
		}
		if random.IntN(4) > 0 {
			policy.Days = max(policy.Any, policy.Hours) + time.Duration(1+random.IntN(8))*day
		}
	}
	w := newWorld(t, seed, policy, random.IntN(2) == 0)
	var old []action
	for range 600 {
		w.live()
		if random.IntN(3) == 0 {
			actions := w.actions(w.catalog().Plan(policy, w.now))
			n := len(actions)
			if random.IntN(2) == 0 {
				n = random.IntN(n + 1)
			}
			w.do(actions[:n])
			if !w.steps && random.IntN(2) == 0 {
				w.stale = true // a runner does not know yet that it is none any more
				w.do(old)
				w.stale = false
				old = actions[n:]
			}
		}
		if spans := w.catalog().Restorable(); len(spans) > 0 {
			s := spans[random.IntN(len(spans))]
			w.restore(s.First + random.Int64N(s.Last-s.First+1))
		}
	}
	w.settle()
}

// settle does plans until there is nothing to do, and checks that little is left.
func (w *world) settle() {
	for range 10 {
		plan := w.catalog().Plan(w.policy, w.now)
		if plan.Empty() {
			w.checkLittleIsLeft()
			return
		}
		w.do(w.actions(plan))
	}
	w.fatalf("after ten plans there still is %+v", w.catalog().Plan(w.policy, w.now))
}

func (w *world) checkLittleIsLeft() {
	if w.steps {
		return // what is of another time goes when that has passed
	}
	older := func(t time.Time, d time.Duration) bool { return t.Before(w.now.Add(-d)) }
	bases := slices.SortedFunc(maps.Values(w.bases), func(a, b catalog.Base) int { return cmp.Compare(a.Revision, b.Revision) })
	for i, b := range bases {
		if i+1 < len(bases) && older(bases[i+1].Time, w.policy.Reach()+day) {
			w.fatalf("%v of %v is left, as is the next one", b, b.Time)
		}
	}
	for i, d := range w.behind {
		if i+1 < len(w.behind) && older(w.behind[i+1].Time, 8*day) {
			w.fatalf("the dictionary %v is left, and nothing is behind it", d)
		}
	}
	for _, o := range w.logs {
		switch l := o.Log; {
		case len(bases) > 0 && l.End <= bases[0].Revision && older(bases[0].Time, w.policy.Reach()+day):
			w.fatalf("%v is left, which is before the oldest base", l)
		case l.Level == catalog.Minute && older(l.To, 2*hour), l.Level == catalog.Hour && older(l.To, 2*day):
			w.fatalf("%v of %v is left", l, l.To)
		case l.Level == catalog.Day && (w.policy.Days > 0 || !older(l.From, w.policy.Hours)) && older(l.To, w.policy.Any+4*day),
			l.Level == catalog.HourPoints && w.policy.Days > 0 && older(l.To, w.policy.Hours+4*day):
			w.fatalf("%v of %v is left", l, l.To)
		}
	}
}

// list is a catalog for people.
func list(c catalog.Catalog) string {
	var lines []string
	for _, b := range c.Bases {
		lines = append(lines, fmt.Sprintf("%020d %v from %d, of %v", b.Revision, b, b.Compacted, b.Time.Format(time.DateTime)))
	}
	for _, l := range c.Logs {
		lines = append(lines, fmt.Sprintf("%020d %v to %d, %v to %v, points %v", l.Start, l, l.End, l.From.Format(time.DateTime), l.To.Format(time.DateTime), l.Points))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
