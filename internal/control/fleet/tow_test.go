package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

var (
	installed = digest("the tow that is installed")
	newer     = digest("a newer tow")
	newest    = digest("the newest tow")
)

// upgradable is a machine that starts the tow that is installed, whichever ended before.
type upgradable struct {
	*machine
	own  release.Digest // of the process that runs
	kill func()
	stop func()
	runs int // processes that have begun
}

// launch starts a process as "tow serve --upgradable" does.
func (u *upgradable) launch() {
	p := &process{machine: u.machine}
	m, err := p.Load()
	if err != nil {
		u.t.Fatal(err)
	}
	d := m.Launch(time.Now(), Kills{})
	if err := p.Save(m); err != nil {
		u.t.Fatal(err)
	}
	u.become(d)
}

// become starts the process of a tow.
func (u *upgradable) become(d release.Digest) {
	u.runs++
	self := &Self{Release: d, Installed: d == "" || d == installed, Platform: "linux/amd64"}
	if d == "" {
		self.Release = installed
	}
	u.own = self.Release
	p := &process{machine: u.machine}
	a, err := NewAgent(Options{Node: "n", Environment: "prod", Cell: "c", Host: p, Link: p, Objects: p, Keeper: p, Self: self})
	if err != nil {
		u.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(u.t.Context())
	ended := make(chan struct{})
	next := make(chan *Successor, 1)
	go func() {
		defer close(ended)
		var s *Successor
		if err := a.Run(ctx); errors.As(err, &s) {
			next <- s
		} else if !errors.Is(err, context.Canceled) {
			u.t.Error(err)
		}
	}()
	u.kill = func() {
		u.set(func() { p.dead = true })
		cancel()
		<-ended
	}
	u.stop = func() {
		cancel()
		<-ended
	}
	time.Sleep(time.Minute)
	select {
	case s := <-next:
		u.become(s.Release)
	default:
	}
}

// wait has whatever is under way happen.
func (u *upgradable) wait() {
	time.Sleep(time.Minute)
}

func (u *upgradable) shall(i *Intent) {
	u.stop()
	u.set(func() { u.intents = map[string]*Intent{"shop": {Deployment: "d", Release: one}, release.Tow: i} })
	u.launch()
}

func (u *upgradable) is(want, main release.Digest) {
	u.t.Helper()
	if u.own != want {
		u.t.Errorf("it is the tow %s; expected %s", u.own.Short(), want.Short())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	said := u.reports[len(u.reports)-1]
	if got := said.Programs[release.Tow]; got.Main != main || said.Upgrades != "linux/amd64" {
		u.t.Errorf("it says %+v of itself; expected %s", got, main.Short())
	}
	if u.main != one {
		u.t.Errorf("it runs %s; expected %s", u.main.Short(), one.Short())
	}
}

func runUpgradable(t *testing.T, test func(t *testing.T, u *upgradable)) {
	run(t, func(t *testing.T, m *machine) {
		u := &upgradable{machine: m}
		m.intents = map[string]*Intent{"shop": {Deployment: "d", Release: one}, release.Tow: {Deployment: "t0"}}
		u.launch()
		defer func() { u.stop() }()
		test(t, u)
	})
}

// TestUpgradeInTurns: a node becomes the tow that is installed again when the deployment's reach has it
// no more, while others still have the candidate; and while its turn is later it goes on with what it
// ran, whatever the others do.
func TestUpgradeInTurns(t *testing.T) {
	runUpgradable(t, func(t *testing.T, u *upgradable) {
		u.shall(&Intent{Deployment: "t1", Candidate: newer, Reach: 1})
		u.is(newer, newer)
		u.shall(&Intent{Deployment: "t1", Candidate: newer})
		u.is(installed, "")
		u.shall(&Intent{Deployment: "t1", Candidate: newer, Reach: 1, Later: map[string]release.Digest{"n": ""}})
		u.is(installed, "")
		u.shall(&Intent{Deployment: "t1", Release: newer, Later: map[string]release.Digest{"n": ""}})
		u.is(installed, "")
		u.shall(&Intent{Deployment: "t1", Release: newer})
		u.is(newer, newer)
		u.shall(&Intent{Deployment: "t2", Later: map[string]release.Digest{"n": newer}})
		u.is(newer, newer)
		u.shall(&Intent{Deployment: "t2"})
		u.is(installed, "")
	})
}

// TestUpgrade: a node becomes another tow when it shall, stays that when it starts again, and
// becomes the one that is installed again when nothing is deployed.
func TestUpgrade(t *testing.T) {
	runUpgradable(t, func(t *testing.T, u *upgradable) {
		u.is(installed, "")
		u.shall(&Intent{Deployment: "t1", Candidate: newer})
		u.is(installed, "") // it is not its turn
		u.shall(&Intent{Deployment: "t1", Candidate: newer, Reach: 1})
		u.is(newer, newer)
		for range 3 { // ends in good order are no deaths
			u.stop()
			u.launch()
			u.is(newer, newer)
		}
		time.Sleep(time.Hour)
		for range 3 { // nor are those of one that ran for long
			u.kill()
			u.launch()
			u.is(newer, newer)
		}
		u.shall(&Intent{Deployment: "t2", Release: newest})
		u.is(newest, newest)
		u.shall(&Intent{Deployment: "t3"})
		u.is(installed, "")
		u.stop()
		u.launch()
		u.is(installed, "")
	})
}

// TestUpgradeToWhatIsInstalled: nothing starts anew where the tow that is installed is the one
// that shall run.
func TestUpgradeToWhatIsInstalled(t *testing.T) {
	runUpgradable(t, func(t *testing.T, u *upgradable) {
		before := u.runs
		u.set(func() {
			u.intents = map[string]*Intent{"shop": {Deployment: "d", Release: one}, release.Tow: {Deployment: "t1", Candidate: installed, Reach: 1}}
		})
		u.wait()
		u.is(installed, installed)
		if u.runs != before {
			t.Errorf("%d processes have begun; expected %d", u.runs, before)
		}
	})
}

// TestUpgradeThatDies: a node that dies twice of a tow goes back to the one before by itself, and
// says so; asked for by another deployment it is tried again.
func TestUpgradeThatDies(t *testing.T) {
	runUpgradable(t, func(t *testing.T, u *upgradable) {
		for _, from := range []release.Digest{"", newer} {
			before := from
			if from == "" {
				before = installed
			} else {
				u.shall(&Intent{Deployment: "t1", Release: newer})
				time.Sleep(time.Hour)
			}
			u.shall(&Intent{Deployment: "t2" + from.Short(), Release: from, Candidate: newest, Reach: 1})
			u.is(newest, newest)
			u.kill()
			u.launch()
			u.is(newest, newest) // once is no proof
			u.kill()
			u.launch()
			u.is(before, from)
			u.mu.Lock()
			r := u.reports[len(u.reports)-1].Programs[release.Tow]
			u.mu.Unlock()
			if trouble := r.Trouble(newest); trouble == nil || trouble.Kind != GaveUp || trouble.Count != 2 {
				t.Errorf("it says %+v", r)
			}
			u.shall(&Intent{Deployment: "t3" + from.Short(), Release: from, Candidate: newest, Reach: 1})
			u.is(newest, newest)
			u.shall(&Intent{Deployment: "t3" + from.Short(), Release: from})
			u.is(before, from)
		}
	})
}

// TestNoUpgrade: a node that is not to be upgraded knows nothing of deployments of tow.
func TestNoUpgrade(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.set(func() {
			m.intents = map[string]*Intent{"shop": {Deployment: "d", Release: one}, release.Tow: {Deployment: "t1", Release: newer}}
		})
		m.runs(one, "")
		m.mu.Lock()
		defer m.mu.Unlock()
		if said := m.reports[len(m.reports)-1]; len(said.Programs) != 1 || said.Upgrades != "" {
			text, _ := json.Marshal(said)
			t.Errorf("it says %s", text)
		}
	})
}
