package fleet

import (
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// TestDeathsOnTrialAreCountedHoweverLate: a candidate that leaks has the kernel kill the node every
// quarter of an hour, each time after it had run for long enough to be settled. All deaths are
// told; the node does not go back by itself, and once it is no candidate any more they count no
// more, until another deployment tries it.
func TestDeathsOnTrialAreCountedHoweverLate(t *testing.T) {
	const program = "shop"
	one, two := release.DigestOf([]byte("one")), release.DigestOf([]byte("two"))
	m := newMemory()
	m.Intents[program] = &Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1}
	now := time.Now()
	for life := 1; life <= 10; life++ {
		if watched := m.try(program, "d2", two, now); watched != (life == 1) {
			t.Fatalf("in life %d it is watched: %v", life, watched)
		}
		m.Tries[program][two].Settled = true
		now = now.Add(15 * time.Minute)
		against := m.died(program, "the kernel killed 1 process in its cgroup for want of memory meanwhile")
		if try := against[two]; len(against) != 1 || try == nil || try.Deaths != life || try.Starved != life || try.trouble(two).Kind != Crashed {
			t.Fatalf("after %d deaths there is %+v against releases", life, against)
		}
	}
	m.Intents[program] = &Intent{Deployment: "d2", Release: two}
	m.try(program, "d2", two, now)
	if against := m.died(program, ""); len(against) > 0 {
		t.Errorf("against what runs there is %+v", against)
	}
	m.Intents[program] = &Intent{Deployment: "d3", Release: one, Candidate: two, Reach: 1}
	m.try(program, "d3", two, now)
	if against := m.died(program, "the kernel"); against[two] == nil || against[two].Deaths != 1 {
		t.Errorf("another deployment counts anew; there is %+v", against)
	}
}

// TestSingleDeathsOnTrial: one death of a node whose candidate has run for long enough may be of
// anything, and there is nothing against the candidate until there is a second one on the node, or
// the kernel had killed for want of memory. Of a candidate that has just begun each counts.
func TestSingleDeathsOnTrial(t *testing.T) {
	const program, killed = "shop", "the kernel killed 1 process"
	one, two := release.DigestOf([]byte("one")), release.DigestOf([]byte("two"))
	for _, c := range []struct {
		name   string
		before bool // the first death was before it had run for long enough
		kills  []string
		deaths []int // after each
	}{
		{"one", false, []string{""}, []int{0}},
		{"a second one", false, []string{"", "", ""}, []int{0, 2, 3}},
		{"one for want of memory", false, []string{killed}, []int{1}},
		{"and another one", false, []string{killed, ""}, []int{1, 2}},
		{"and one before", false, []string{"", killed}, []int{0, 2}},
		{"one as it had just begun", true, []string{"", ""}, []int{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemory()
			m.Intents[program] = &Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1}
			for k, kill := range c.kills {
				m.try(program, "d2", two, time.Now())
				m.Tries[program][two].Settled = !c.before || k > 0
				deaths := 0
				if try := m.died(program, kill)[two]; try != nil {
					deaths = try.Deaths
				}
				if deaths != c.deaths[k] {
					t.Errorf("after %d deaths %d are against it; expected %d", k+1, deaths, c.deaths[k])
				}
			}
			m.Intents[program].Deployment = "d3"
			m.try(program, "d3", two, time.Now())
			if against := m.died(program, ""); len(against) > 0 {
				t.Errorf("another deployment counts anew; there is %+v", against)
			}
		})
	}
}

// TestDeathsAreCountedOnce: a node that died of a candidate has nothing against the release
// that ran with it, and does not forget it when it dies of something else.
func TestDeathsAreCountedOnce(t *testing.T) {
	const program, deployment = "shop", "shop.prod.2"
	one, two := release.DigestOf([]byte("one")), release.DigestOf([]byte("two"))
	m := newMemory()
	m.Intents[program] = &Intent{Deployment: deployment, Release: one, Candidate: two, Onebox: "n"}
	now := time.Now()
	for life := 1; life <= MostDeaths; life++ {
		m.try(program, deployment, one, now)
		m.try(program, deployment, two, now) // at once, by a coarse clock
		against := m.died(program, "")
		if against[two] == nil || against[two].Deaths != life || against[one] != nil {
			t.Fatalf("after %d deaths of the candidate there is %v against releases", life, against)
		}
	}
	m.try(program, deployment, one, now) // alone, as the node has given up on the other
	against := m.died(program, "")
	if against[two] == nil || against[two].Deaths != MostDeaths {
		t.Errorf("that it died of the candidate is forgotten: %v", against)
	}
	if against[one] == nil || against[one].Deaths != 1 {
		t.Errorf("one death of another kind is %v against the release that ran", against[one])
	}
	// Another deployment may try the candidate again.
	m.Intents[program].Deployment = "shop.prod.3"
	if against := m.died(program, ""); len(against) > 0 {
		t.Errorf("there is %v against releases of a deployment that has not begun them", against)
	}
}

// TestTowOnTrialDiesLate: deaths of a tow on trial are counted from the second one on however late, and one that had run
// for long enough is launched all the same; of one that is on trial no more, nothing is noted.
func TestTowOnTrialDiesLate(t *testing.T) {
	d := digest("tow 2")
	m := newMemory()
	m.Intents[release.Tow] = &Intent{Deployment: "tow.prod.2", Release: digest("tow 1"), Candidate: d, Reach: 1}
	m.Ran[release.Tow] = []release.Digest{d}
	m.Tries[release.Tow] = map[release.Digest]*Try{d: {Deployment: "tow.prod.2", Settled: true}}
	try := m.Tries[release.Tow][d]
	for deaths := range 4 {
		counted := deaths
		if deaths == 1 { // a single one
			counted = 0
		}
		if got := m.Launch(time.Now(), Kills{}); got != d || try.Deaths != counted || !try.Running {
			t.Fatalf("after %d deaths it launches %s, and has %+v", deaths, got.Short(), try)
		}
	}
	m.Intents[release.Tow] = &Intent{Deployment: "tow.prod.2", Release: d}
	m.Launch(time.Now(), Kills{})
	if m.Launch(time.Now(), Kills{}); try.Running || try.Deaths != 3 {
		t.Errorf("on trial no more, it has %+v", try)
	}
}
