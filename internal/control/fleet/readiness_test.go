package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/control/release"
)

// watched is a process whose host says whether it is ready.
type watched struct {
	*process
	why    error         // that it is not; nil: it is
	stands time.Duration // how long it takes to answer
	last   *Status       // reported
}

func (w *watched) Ready(ctx context.Context) error {
	w.mu.Lock()
	why, stands := w.why, w.stands
	w.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(stands):
		return why
	}
}

func (w *watched) Report(ctx context.Context, s *Status) error {
	err := w.process.Report(ctx, s)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = s
	return err
}

// refuse has it not be ready for so long, which is once for each second.
func (w *watched) refuse(d time.Duration) {
	time.Sleep(time.Second / 2) // not just when it is asked
	w.set(func() { w.why = errors.New("503") })
	time.Sleep(d)
	w.set(func() { w.why = nil })
}

// says is what it reported last: of itself, and of the program.
func (w *watched) says() (unready string, r Running) {
	time.Sleep(5 * time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.Unready, w.last.Programs["shop"]
}

// watch runs a node whose host says whether it is ready, on a machine. stop ends it in good order.
func watch(t *testing.T, m *machine) (w *watched, stop func()) {
	w = &watched{process: &process{machine: m}}
	a, err := NewAgent(Options{Node: "n", Environment: "prod", Cell: "c", Host: w, Link: w, Objects: w, Keeper: w})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = a.Run(ctx) }()
	return w, func() { cancel(); <-ended }
}

func ofReleases(all []Loss) (releases []release.Digest) {
	for _, l := range all {
		releases = append(releases, l.Release)
	}
	return releases
}

// TestUnready: three refusals in a row are a loss of readiness, which is counted against what is on
// trial here; the node runs on, and says when it is ready again.
func TestUnready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		w, stop := watch(t, m)
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		time.Sleep(time.Hour) // it settles
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		w.refuse(2 * time.Second)
		if unready, r := w.says(); unready != "" || len(r.Troubles)+len(r.Lost) > 0 {
			t.Errorf("after two refusals it says %q, %+v", unready, r)
		}
		for n := 1; n <= 2; n++ {
			w.set(func() { w.why = errors.New("no answer") })
			unready, r := w.says()
			trouble := r.Trouble(two)
			if unready != "no answer" || trouble == nil || trouble.Kind != Unready || trouble.Count != n || len(r.Lost) != n || r.Lost[n-1].Release != two {
				t.Errorf("it says %q, %+v", unready, r)
			}
			if age := time.Since(r.Lost[n-1].At); age < 0 || age > 10*time.Second {
				t.Errorf("it was lost %s ago", age)
			}
			w.set(func() { w.why = nil })
			if unready, r := w.says(); unready != "" || r.Trouble(two) == nil || r.Main != two {
				t.Errorf("ready again it says %q, %+v", unready, r)
			}
		}
		// Another run of the process remembers.
		stop()
		w, stop = watch(t, m)
		defer func() { stop() }()
		m.runs(two, "")
		if _, r := w.says(); r.Trouble(two) == nil || r.Trouble(two).Count != 2 || len(r.Lost) != 2 {
			t.Errorf("it says %+v", r)
		}
		// Another deployment begins anew.
		m.intend(&Intent{Deployment: "d3", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		if _, r := w.says(); len(r.Troubles)+len(r.Lost) > 0 {
			t.Errorf("it says %+v", r)
		}
	})
}

// TestUnreadyWithoutTheCandidate: of a loss it is told what was on trial, so that nobody holds
// it against a candidate that was not.
func TestUnreadyWithoutTheCandidate(t *testing.T) {
	for _, c := range []struct {
		name    string
		settled bool // the release that runs
		i       *Intent
		later   time.Duration // after the intent
		against []release.Digest
	}{
		{"nothing on trial", true, &Intent{Deployment: "d2", Release: one}, 0, nil},
		{"not its turn", true, &Intent{Deployment: "d2", Release: one, Candidate: two}, 0, []release.Digest{""}},
		{"the release is on trial itself", false, &Intent{Deployment: "d2", Release: one, Candidate: two}, 0, []release.Digest{one}},
		{"the onebox", true, &Intent{Deployment: "d2", Release: one, Candidate: two, Onebox: "n", Share: 0.1}, 0, []release.Digest{two}},
		{"a candidate that has settled", true, &Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1}, time.Hour, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t)
				w, stop := watch(t, m)
				defer stop()
				m.intend(&Intent{Deployment: "d1", Release: one})
				m.runs(one, "")
				if c.settled {
					time.Sleep(time.Hour)
				}
				m.intend(c.i)
				time.Sleep(time.Minute + c.later)
				w.refuse(10 * time.Second)
				_, r := w.says()
				if got := ofReleases(r.Lost); !slices.Equal(got, c.against) {
					t.Errorf("losses are of %v; expected %v", got, c.against)
				}
				if against := r.Trouble(two); (against != nil) != slices.Contains(c.against, two) {
					t.Errorf("it says %+v", r)
				}
			})
		})
	}
}

// TestUnreadyBefore: a node that is not ready when it takes the candidate up has not lost it by that,
// and refusals from before do not count.
func TestUnreadyBefore(t *testing.T) {
	for _, before := range []time.Duration{10 * time.Second, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t)
			w, stop := watch(t, m)
			defer stop()
			m.intend(&Intent{Deployment: "d1", Release: one})
			m.runs(one, "")
			time.Sleep(time.Hour)
			time.Sleep(time.Second / 2) // not just when it is asked
			w.set(func() { w.why = errors.New("no answer") })
			time.Sleep(before)
			m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
			time.Sleep(2 * time.Second)
			w.set(func() { w.why = nil })
			m.runs(two, "")
			if _, r := w.says(); len(r.Troubles)+len(r.Lost) > 0 {
				t.Errorf("not ready for %s before, it says %+v", before, r)
			}
		})
	}
}

// TestUnreadyStands: a host that does not answer in time is not ready, and one that is slow is.
func TestUnreadyStands(t *testing.T) {
	for stands, want := range map[time.Duration]string{time.Second: "", time.Hour: context.DeadlineExceeded.Error()} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t)
			w, stop := watch(t, m)
			defer stop()
			m.intend(&Intent{Deployment: "d1", Release: one})
			m.runs(one, "")
			w.set(func() { w.stands = stands })
			time.Sleep(10 * time.Second)
			if unready, _ := w.says(); unready != want {
				t.Errorf("where it takes %s it says %q; expected %q", stands, unready, want)
			}
		})
	}
}

// TestStarved: a death says whether the kernel killed something for want of memory meanwhile, and
// only since the process began that died.
func TestStarved(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		kernel := Kills{Boot: "one", Machine: 7}
		start := func() (kill func()) {
			p := &process{machine: m}
			a, err := NewAgent(Options{Node: "n", Environment: "prod", Cell: "c", Host: p, Link: p, Objects: p, Keeper: p, Kills: kernel})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = a.Run(ctx) }()
			return func() {
				m.set(func() { p.dead = true })
				cancel()
				<-ended
			}
		}
		kill := start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		time.Sleep(time.Hour)
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		for n, c := range []struct {
			killed  int64
			starved int
			text    string
		}{
			{0, 0, "the node's process ended while it ran this release"},
			{1, 1, "the node's process ended 2 times while it ran this release; at 1 of these ends, the kernel killed 1 process on its machine for want of memory meanwhile"},
		} {
			kernel.Machine += c.killed
			kill()
			kill = start()
			time.Sleep(time.Minute)
			r := m.said()
			if trouble := r.Trouble(two); trouble == nil || trouble.Count != n+1 || trouble.Starved != c.starved || trouble.Text != c.text {
				t.Errorf("after death %d it says %+v", n+1, trouble)
			}
		}
		kill()
	})
}

// TestStarvedTow: so does one of a tow on trial, which another process counts.
func TestStarvedTow(t *testing.T) {
	m := newMemory()
	m.Kills = Kills{Boot: "one", Machine: 7}
	m.Intents[release.Tow] = &Intent{Deployment: "t1", Candidate: newer, Reach: 1}
	m.Ran[release.Tow] = []release.Digest{newer}
	m.Tries[release.Tow] = map[release.Digest]*Try{newer: {Deployment: "t1", Running: true}}
	m.Launch(time.Now(), Kills{Boot: "one", Machine: 8})
	if try := m.Tries[release.Tow][newer]; try.Deaths != 1 || try.Starved != 1 || m.Kills.Machine != 7 {
		t.Errorf("it is %+v, and %+v", try, m.Kills)
	}
}

// TestTroubleTexts: what there is against a release is one sentence.
func TestTroubleTexts(t *testing.T) {
	for text, try := range map[string]Try{
		"the node was not ready while it ran this release":                                      {Lost: 1},
		"the node's process ended while it ran this release; " + oneInGroup:                     {Deaths: 1, Starved: 1, Killed: oneInGroup},
		"the node's process ended 2 times, and was not ready, while it ran this release":        {Deaths: 2, Lost: 1},
		"the node's process ended, and was not ready 4 times, while it ran this release":        {Deaths: 1, Lost: 4},
		"the node's process ended 2 times while it ran this release; " + oneInGroup + " (each)": {Deaths: 2, Starved: 2, Killed: oneInGroup + " (each)"},
	} {
		if got := try.trouble(two).Text; got != text {
			t.Errorf("it is %q; expected %q", got, text)
		}
	}
}

// TestOlderMemory: what an older tow has written down is read, and what it says of itself.
func TestOlderMemory(t *testing.T) {
	m, err := DecodeMemory("memory", []byte(`{"heard":"2026-11-28T12:00:00Z","intents":{"shop":{"deployment":"d1","seq":1}},`+
		`"tries":{"shop":{"`+string(two)+`":{"deployment":"d1","since":"2026-11-28T12:00:00Z","running":true}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if killed := (Kills{Boot: "one", Machine: 9}).since(m.Kills); killed != "" {
		t.Errorf("of what nobody has looked at before it says %q", killed)
	}
	if against := m.died("shop", ""); against[two] == nil || against[two].Deaths != 1 {
		t.Errorf("it is %+v", against)
	}
	m.lost("shop", two, time.Now())
	s, err := DecodeStatus("status", []byte(`{"seq":1,"cell":"c","incarnation":"i","programs":{"shop":{"deployment":"d1","troubles":[{"release":"`+string(two)+`","kind":"crash","count":1}]}}}`))
	if err != nil || s.Unready != "" || s.Programs["shop"].Lost != nil || s.Programs["shop"].Troubles[0].Starved != 0 {
		t.Errorf("%v, %+v", err, s)
	}
	text, err := json.Marshal(&Status{Programs: map[string]Running{"shop": {Main: one}}})
	if err != nil || strings.Contains(string(text), "lost") || strings.Contains(string(text), "ready") || strings.Contains(string(text), "references") {
		t.Errorf("%v, %s", err, text)
	}
}
