package upgrade

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/cluster"
)

// A checklist is checks as they are made.
type checklist struct {
	*Facts
	target   Version
	way      Way
	from     Version // the earliest of the members on the way up, the latest on the way down
	versions map[string][]string
	all      []Checked
}

func (l *checklist) ok(name, format string, args ...any) {
	l.all = append(l.all, Checked{name, OK, fmt.Sprintf(format, args...), ""})
}

func (l *checklist) fail(name, found, format string, args ...any) {
	l.all = append(l.all, Checked{name, Fail, found, fmt.Sprintf(format, args...)})
}

func (l *checklist) note(name, found, format string, args ...any) {
	l.all = append(l.all, Checked{name, Note, found, fmt.Sprintf(format, args...)})
}

// Check says of a cluster what is in order for another release, and what is not. It is pure.
func Check(f *Facts, target Version, way Way) []Checked {
	l := &checklist{Facts: f, target: target, way: way}
	l.members()
	if !l.release() {
		return l.all // of which way it goes depends what else is to be looked at
	}
	l.distance()
	l.patch()
	l.storage()
	l.downgrading()
	l.alarms()
	l.learners()
	l.changes()
	l.data()
	l.backup()
	l.settings()
	return l.all
}

// members is whether all are there, so that one at a time may be away.
func (l *checklist) members() {
	const name = "members"
	seen := l.Seen
	if !seen.Majority {
		l.fail(name, "the cluster has no majority: "+seen.NoMajority, "let it have one first: \"tow cluster status\" shows who is missing")
		return
	}
	for i := range seen.Members {
		m := &seen.Members[i]
		switch {
		case m.State == cluster.Unstarted:
			l.fail(name, fmt.Sprintf("%s was added, and has never started", m), "start it, or remove it with \"tow cluster remove\"")
			return
		case m.State != cluster.Well && m.State != cluster.Hidden:
			l.fail(name, fmt.Sprintf("%s is %s: %s", m, m.State, m.Reason), "let it come back first, or replace it with \"tow cluster replace\"")
			return
		case m.Lag > lagMost:
			l.fail(name, fmt.Sprintf("%s is %d entries behind the leader", m, m.Lag), "wait until it has caught up")
			return
		}
	}
	if seen.Leader == 0 {
		l.fail(name, "the members do not agree on a leader", "wait until they do")
		return
	}
	if seen.Quorum.Spare() < 1 {
		l.note(name, "all are well, and there are too few for one to be missing: "+voters(seen.Quorum.Voters), "the cluster stands still while one of them is restarted: choose a quiet time, or add a member before")
		return
	}
	l.ok(name, "all %d are well, and one may be away", len(seen.Members))
}

// lagMost is how many entries a member may be behind.
const lagMost = 1000

// release finds out which releases run. It reports whether more can be said.
func (l *checklist) release() bool {
	const name = "versions"
	l.versions = map[string][]string{}
	known := []Version{}
	for i := range l.Seen.Members {
		m := &l.Seen.Members[i]
		if m.Version == "" {
			continue
		}
		v, err := ParseVersion(m.Version)
		if err != nil {
			l.fail(name, fmt.Sprintf("%s says that it is %q", m, m.Version), "find out what it runs")
			return false
		}
		known = append(known, v)
		l.versions[v.String()] = append(l.versions[v.String()], m.String())
	}
	if len(known) == 0 {
		l.fail(name, "no member says which release it is", "name endpoints that can be reached from here")
		return false
	}
	less := func(a, b Version) int {
		return 10000*(a.Major-b.Major) + 100*(a.Minor-b.Minor) + (a.Patch - b.Patch)
	}
	if l.from = slices.MinFunc(known, less); l.way == Down {
		l.from = slices.MaxFunc(known, less)
	}
	if len(l.versions) == 1 {
		l.ok(name, "all run %s", l.from)
		return true
	}
	found := l.mixed()
	for _, v := range known {
		if v.line() != l.from.line() && v.line() != l.target.line() {
			l.fail(name, found, "bring all to one release first")
			return true
		}
		if v.line() == l.from.line() && v.line() != l.target.line() && v != l.from {
			l.fail(name, found, "bring all that are %s to one patch release first, the newest", v.line())
			return true
		}
	}
	l.note(name, found, "it is under way: go on, one member at a time, the leader last")
	return true
}

// mixed is which release runs where.
func (l *checklist) mixed() string {
	var parts []string
	for version, who := range l.versions {
		parts = append(parts, fmt.Sprintf("%s on %s", version, strings.Join(who, " and ")))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// distance is whether it is one minor release.
func (l *checklist) distance() {
	const name = "step"
	n, known := steps(l.from, l.target)
	if l.way == Down {
		n = -n
	}
	back, there := "an upgrade", "tow cluster upgrade --check"
	if l.way == Up {
		back, there = "a downgrade", "tow cluster downgrade --check"
	}
	switch {
	case !known:
		l.fail(name, fmt.Sprintf("%s and %s are different major releases", l.from, l.target), "look up how that is done: it is not known here")
	case n < 0:
		l.fail(name, fmt.Sprintf("from %s to %s is %s", l.from, l.target, back), "ask \"%s %s\" about it", there, l.target)
	case n > 1:
		var way []string
		next := l.from
		for i := 0; i <= n; i++ {
			way = append(way, next.line())
			if l.way == Up {
				next.Minor++
			} else {
				next.Minor--
			}
		}
		l.fail(name, fmt.Sprintf("from %s to %s are %d minor releases, and etcd takes one at a time", l.from, l.target, n),
			"go by way of each: %s, every one on all members before the next; begin with %s", strings.Join(way, " → "), way[1])
	case n == 0 && l.target.Patch >= 0 && (l.way == Up) == (l.target.Patch < l.from.Patch):
		l.fail(name, fmt.Sprintf("from %s to %s is %s", l.from, l.target, back), "ask \"%s %s\" about it", there, l.target)
	case n == 0:
		l.ok(name, "%s to %s is within one minor release", l.from, l.target)
	case l.way == Down && l.from.Minor < 6 && l.from.Major == 3:
		l.fail(name, fmt.Sprintf("%s cannot take back what is newer than %s: only 3.6 and later can", l.from, l.target), "restore a backup from before the upgrade instead, into a new cluster")
	default:
		l.ok(name, "%s to %s is one minor release", l.from, l.target)
	}
}

// crosses reports whether the way leads over the border between two minor releases of 3.
func (l *checklist) crosses(below, above int) bool {
	low, high := l.from.Minor, l.target.Minor
	if l.way == Down {
		low, high = high, low
	}
	return l.from.Major == 3 && l.target.Major == 3 && low <= below && high >= above
}

// patch is whether the patch releases are ones that it goes well with.
func (l *checklist) patch() {
	const name = "patch releases"
	switch {
	case l.way == Up && l.from.Minor == 5 && l.crosses(5, 6) && l.from.before(26):
		l.fail(name, fmt.Sprintf("%s is among those whose list of members may be wrong in the store that 3.6 reads: members that were removed come back (etcd-io/etcd#20967, mended in 3.5.26), promoted ones are learners again (#19557, #20793, mended in 3.5.20 and 3.5.24)", l.from),
			"bring all members to the newest 3.5 first, 3.5.26 at least, and see that all are well; it mends the list by itself: https://etcd.io/blog/2025/zombie_members_upgrade/")
	case l.way == Up && l.from.Minor == 5 && l.crosses(5, 6) && l.from.before(32):
		l.note(name, fmt.Sprintf("%s is good enough", l.from), "etcd's guide asks for 3.5.32, whose \"etcdutl check v2store\" finds more: https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/")
	case l.way == Up && l.from.Minor == 6 && l.crosses(6, 7) && l.from.before(11):
		l.fail(name, fmt.Sprintf("%s may not work together with 3.7 while both run", l.from), "bring all members to the newest 3.6 first, 3.6.11 at least: https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/")
	case l.way == Up && l.target.Major == 3 && l.target.Minor == 5 && l.target.Patch >= 0 && l.target.before(3):
		l.fail(name, fmt.Sprintf("%s may corrupt data when it is killed under load (etcd-io/etcd#13766)", l.target), "choose 3.5.26 or later")
	case l.way == Down && l.target.Major == 3 && l.target.Minor == 6 && l.crosses(6, 7) && l.target.before(11):
		l.fail(name, fmt.Sprintf("%s may not work together with 3.7 while both run", l.target), "choose the newest 3.6, 3.6.11 at least")
	case l.target.Patch < 0:
		l.note(name, fmt.Sprintf("which patch release of %s it is to be was not said", l.target), "take the newest")
	default:
		l.ok(name, "nothing is known against %s to %s", l.from, l.target)
	}
}

// storage is whether the data is of the release that runs.
func (l *checklist) storage() {
	const name = "storage version"
	if l.from.Major == 3 && l.from.Minor < 6 {
		l.ok(name, "%s has none of its own", l.from)
		return
	}
	want := l.from
	if l.way == Down && (len(l.versions) > 1 || l.enabled()) { // what goes back does so first
		want = l.target
	}
	asked := 0
	for i := range l.Seen.Members {
		m := &l.Seen.Members[i]
		r, ok := l.Releases[m.ID]
		if !ok {
			continue
		}
		asked++
		if runs, err := ParseVersion(m.Version); err == nil && runs.Major == 3 && runs.Minor < 6 {
			continue // it has none: it has gone back already
		}
		v, err := ParseVersion(r.Storage)
		switch {
		case r.Downgrade != "" && !l.enabled(): // it is on its way to another one
		case r.Storage == "" || err != nil:
			l.fail(name, fmt.Sprintf("the data of %s has none yet", m), "wait until it has been written with the first snapshot of its log; --snapshot-count says after how many entries")
			return
		case v.line() != want.line() && l.enabled():
			l.fail(name, fmt.Sprintf("the data of %s is of %s, and becomes of %s before any member does", m, r.Storage, want.line()),
				"wait some seconds, and restart none meanwhile: a member that starts too early answers nothing, and holds up the others; if it lasts, look at the members' logs")
			return
		case v.line() != want.line():
			l.fail(name, fmt.Sprintf("the data of %s is of %s, where %s is expected", m, r.Storage, want.line()), "wait: it is brought up to date soon after the last member runs the new release; if it is not, look at the members' logs")
			return
		}
	}
	if asked == 0 {
		l.note(name, "no member could be asked", "look at STORAGE VERSION in \"etcdctl endpoint status -w table\"")
		return
	}
	l.ok(name, "all data is of %s", want.line())
}

// enabled reports whether a downgrade to the target is.
func (l *checklist) enabled() bool {
	for _, r := range l.Releases {
		if v, err := ParseVersion(r.Downgrade); err == nil && l.way == Down && v.line() == l.target.line() {
			return true
		}
	}
	return false
}

// downgrading is whether a downgrade is under way.
func (l *checklist) downgrading() {
	const name = "downgrade"
	target := ""
	for _, r := range l.Releases {
		if r.Downgrade != "" {
			target = r.Downgrade
		}
	}
	v, err := ParseVersion(target)
	switch {
	case target == "" && l.way == Up:
		l.ok(name, "none is under way")
	case target == "":
		l.validated(name)
	case l.way == Up:
		l.fail(name, "a downgrade to "+target+" is under way", "finish it, or end it with \"etcdctl downgrade cancel\", before anything else")
	case err != nil || v.line() != l.target.line():
		l.fail(name, "a downgrade to "+target+" is under way", "finish that one, or end it with \"etcdctl downgrade cancel\"")
	default:
		l.note(name, "it is enabled", "go on: stop one member at a time, the leader last and its lead moved first, and start it with %s", l.target)
	}
}

// validated is what etcd itself says.
func (l *checklist) validated(name string) {
	n, known := steps(l.from, l.target)
	switch {
	case !known || n != -1 || l.from.Minor < 6:
		return // it would be refused, as was said
	case !l.Asked:
		l.note(name, "etcd was not asked", "ask it with \"etcdctl downgrade validate %s\"", l.target.line())
	case l.Validated != "":
		l.fail(name, "etcd refuses it: "+l.Validated, "see to that first")
	default:
		l.ok(name, "etcd would take it; when all is in order, \"etcdctl downgrade enable %s\" begins it", l.target.line())
	}
}

func (l *checklist) alarms() {
	const name = "alarms"
	if len(l.Seen.Alarms) == 0 {
		l.ok(name, "none")
		return
	}
	var all []string
	corrupt := false
	for _, a := range l.Seen.Alarms {
		who := a.Member.String()
		if m := l.Seen.Member(a.Member); m != nil {
			who = m.String()
		}
		all = append(all, fmt.Sprintf("%s of %s", a.Kind, who))
		corrupt = corrupt || a.Kind == cluster.Corrupt
	}
	next := "make room, as \"tow cluster maintain\" does, and disarm it"
	if corrupt {
		next = "a member's data differs: replace that member first; docs/maintenance.md has how"
	}
	l.fail(name, strings.Join(all, ", "), "%s", next)
}

func (l *checklist) learners() {
	for i := range l.Seen.Members {
		if m := &l.Seen.Members[i]; m.Learner {
			l.fail("learners", fmt.Sprintf("%s is a learner", m), "promote it with \"tow cluster promote\", or remove it, before")
			return
		}
	}
	l.ok("learners", "none")
}

func (l *checklist) changes() {
	if c := l.Seen.Change; c != nil {
		l.fail("changes", fmt.Sprintf("%s changes the members since %s: %s", c.Who, c.Since.Format(time.TimeOnly), c.What), "wait until that is over")
		return
	}
	l.ok("changes", "nobody changes the members")
}

// data is whether all members have the same.
func (l *checklist) data() {
	const name = "data"
	groups := map[uint32][]string{}
	var unknown []string
	compacted := map[int64]bool{}
	for i := range l.Seen.Members {
		m := &l.Seen.Members[i]
		h, ok := l.Hashes[m.ID]
		if !ok || h.Err != "" {
			unknown = append(unknown, m.String())
			continue
		}
		compacted[h.Compacted] = true
		groups[h.Hash] = append(groups[h.Hash], m.String())
	}
	switch {
	case len(compacted) > 1:
		l.note(name, "the members were compacted while they were looked at, and cannot be compared", "run this again")
	case len(groups) > 1:
		var parts []string
		for _, who := range groups {
			parts = append(parts, strings.Join(who, " and "))
		}
		slices.Sort(parts)
		l.fail(name, fmt.Sprintf("at the revision %d the data differs: %s", l.HashRevision, strings.Join(parts, " against ")),
			"do not restart anything; take a backup, and replace whoever differs from most with \"tow cluster replace\"; docs/maintenance.md has how")
	case len(groups) == 0 || len(unknown) > 0 && len(l.Seen.Members) > 1:
		l.note(name, fmt.Sprintf("%s could not be compared with the others", strings.Join(unknown, ", ")), "run this where their clients' ports can be reached")
	default:
		l.ok(name, "the same on all members, at the revision %d", l.HashRevision)
	}
}

func (l *checklist) backup() {
	const name = "backup"
	b := l.Backup
	switch {
	case b == nil:
		l.note(name, "it was not said where backups are", "take one now: the way back from a release that all members run is a backup; --store and --cluster have it looked at")
	case b.Err != "":
		l.fail(name, b.Err, "let there be a backup first: \"tow backup run\" makes it")
	case b.Revision >= l.Seen.Revision:
		l.ok(name, "it has everything, up to the revision %d", b.Revision)
	case l.Seen.Time.Sub(b.Time) <= fresh:
		l.ok(name, "it has everything up to %s ago", l.Seen.Time.Sub(b.Time).Round(time.Second))
	default:
		l.fail(name, fmt.Sprintf("it ends %s ago, at the revision %d of %d", l.Seen.Time.Sub(b.Time).Round(time.Minute), b.Revision, l.Seen.Revision), "see why it is behind: \"tow backup list\"")
	}
}

// voters is "1 voter", "2 voters".
func voters(n int) string {
	if n == 1 {
		return "1 voter"
	}
	return fmt.Sprintf("%d voters", n)
}
