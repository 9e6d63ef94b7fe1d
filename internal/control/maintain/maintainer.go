package maintain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/elected"
)

// Group is whose seat who acts holds.
const Group = "maintainer"

// A Cluster is what a maintainer looks at and acts on. [Etcd] makes one of a client. Each
// of its acts may be done again.
type Cluster interface {
	Observe(ctx context.Context) (*cluster.Observed, error)
	// Compact forgets what was before a revision, and returns when its space is free. One
	// that is forgotten already is no error.
	Compact(ctx context.Context, revision int64) error
	// Defragment gives a member's free space back. It answers nothing meanwhile.
	Defragment(ctx context.Context, m *cluster.Member) error
	// CaughtUp fails unless the member answers and has applied all that was committed when
	// it was called.
	CaughtUp(ctx context.Context, m *cluster.Member) error
	// MoveLeader has another voter lead in the place of one that is reached.
	MoveLeader(ctx context.Context, leader *cluster.Member, to cluster.ID) error
	Disarm(ctx context.Context, alarm cluster.Alarm) error
}

// Floor says up to which revision a backup has everything.
type Floor func(ctx context.Context) (revision int64, err error)

// Options say what a maintainer looks after. Store and Cluster are needed, and are of the
// same etcd.
type Options struct {
	Store   election.Store // where it is elected, and keeps its journal
	Cluster Cluster
	// Prefix of all keys that it writes. Default: none, which are "election/" and
	// "maintain/". Maintainers of one cluster have the same.
	Prefix string
	// Name of the process, for people. Default: host, program and process id.
	Name string
	// Own is the one member that this process reaches. 0: it reaches all.
	Own cluster.ID
	// Every is how often it looks. Default: 30 s.
	Every  time.Duration
	Bounds Bounds
	// Floor is the backup's. Nil: there is none.
	Floor Floor
	// Kept says where a backup is kept that this process cannot ask, for want of a Floor; "" is
	// that there is none. History is kept for it. Nil: there is none.
	Kept func(ctx context.Context) (where string, err error)
	// Base makes a base, as history is to be forgotten that the backup has not got: it returns
	// when the base is there, which reaches back over that. Nil: nobody can.
	Base func(ctx context.Context, why string) error
	// Registry of generations, as in [election.Options].
	Registry election.Registry
	// Event hears all that is done and told. It must not block. Nil: nobody does.
	Event    func(Event)
	Metrics  *Metrics          // default: none
	Election *election.Metrics // default: none
	Log      *slog.Logger      // default: none
}

// Validate is all that is wrong with the options.
func (o Options) Validate() error {
	var faults []error
	if o.Store == nil || o.Cluster == nil {
		faults = append(faults, errors.New("a maintainer needs a store and a cluster"))
	}
	if o.Every < 0 {
		faults = append(faults, fmt.Errorf("it would look every %s: expected no time below 0", o.Every))
	}
	return errors.Join(append(faults, o.Bounds.Validate())...)
}

// A Maintainer looks after a cluster while Run runs.
type Maintainer struct {
	o       Options
	b       Bounds
	journal *Journal
	group   *election.Group
	wake    chan struct{} // the seat was acquired

	// The loop's goroutine owns these.
	memory    *memory
	told      map[string]Note // by what they are about
	settled   bool            // what this process left unfinished in its last life is seen to
	unwritten []Event         // which the store had no room for

	acting chan struct{} // has room for one: who does a step, or gives the seat up

	mu        sync.Mutex
	seat      *election.Leadership // nil while it is not held
	fresh     bool                 // acquired, and the journal not read yet
	candidate string               // its id in the group; "" without a session
}

// New makes a maintainer that does nothing before Run.
func New(o Options) (*Maintainer, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("a maintainer: %w", err)
	}
	o.Every = cmp.Or(o.Every, 30*time.Second)
	if o.Name == "" {
		host, _ := os.Hostname()
		o.Name = fmt.Sprintf("%s/%d", cmp.Or(host, "localhost"), os.Getpid())
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	group, err := election.NewGroup(o.Store, o.elections(), Group)
	if err != nil {
		return nil, err
	}
	return &Maintainer{
		o: o, b: o.Bounds.filled(), journal: NewJournal(o.Store, o.Prefix), group: group, wake: make(chan struct{}, 1), acting: make(chan struct{}, 1),
		memory: newMemory(), told: map[string]Note{},
	}, nil
}

func (o Options) elections() string { return o.Prefix + "election/" }

// Run looks after the cluster until the context ends, and gives why that was.
func (m *Maintainer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var standing sync.WaitGroup
	defer standing.Wait()
	defer cancel()
	standing.Go(func() { m.stand(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case <-m.wake:
		}
		wait := m.o.Every
		if m.look(ctx) {
			wait = min(wait, soon)
		}
		timer.Reset(wait)
	}
}

// soon is when it looks again after something was done, as more may be to do.
const soon = time.Second

// reach is the label of a candidate that says which members its process reaches.
const (
	reachLabel = "reach"
	reachesAll = "all"
	floorLabel = "backup" // which the process can ask how far it is
	asksIt     = "asked"
)

// stand stands for the seat until the context ends, session after session.
func (m *Maintainer) stand(ctx context.Context) {
	reach := reachesAll
	if m.o.Own != 0 {
		reach = m.o.Own.String()
	}
	last := ""
	for ctx.Err() == nil {
		err := m.standOnce(ctx, reach)
		if ctx.Err() != nil {
			return
		}
		if text := err.Error(); text != last { // and not each time again
			m.o.Log.Warn("the maintainer stands for its seat again", "cause", err)
			last = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(m.o.Every, standAgain)):
		}
	}
}

// standAgain is how soon it stands for the seat again at the latest.
const standAgain = 10 * time.Second

// standOnce is one session's part. It gives why that ended.
func (m *Maintainer) standOnce(ctx context.Context, reach string) error {
	o := election.Options{Prefix: m.o.elections(), Name: m.o.Name, Registry: m.o.Registry, Log: m.o.Log, Metric: m.o.Election}
	return elected.Once(ctx, m.o.Store, o, func(session *election.Session) error {
		labels := map[string]string{reachLabel: reach}
		if m.o.Floor != nil {
			labels[floorLabel] = asksIt
		}
		seats, err := session.Seats(Group, election.SeatsOptions{Labels: labels})
		if err != nil {
			return err
		}
		m.standAs(seats.Candidate())
		defer m.standAs("")
		return seats.Run(ctx, m.lead)
	})
}

// standAs notes as which candidate the process stands; "" is none.
func (m *Maintainer) standAs(candidate string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.candidate = candidate
}

// lead holds the seat until it is asked for or lost, and lets go of it between two steps.
func (m *Maintainer) lead(ctx context.Context, l *election.Leadership) error {
	m.mu.Lock()
	m.seat, m.fresh = l, true
	m.mu.Unlock()
	m.o.Metrics.holds.Set(1)
	m.o.Log.Info("this process maintains the cluster from now on", "token", l.Token())
	select {
	case m.wake <- struct{}{}:
	default:
	}
	<-ctx.Done()
	m.acting <- struct{}{} // a step is done to its end
	defer func() { <-m.acting }()
	m.mu.Lock()
	m.seat = nil
	m.mu.Unlock()
	m.o.Metrics.holds.Set(0)
	m.o.Log.Info("this process maintains the cluster no longer", "cause", context.Cause(ctx))
	return nil
}

// held is the seat, while it is held, and whether it was acquired since it was asked for
// last.
func (m *Maintainer) held() (l *election.Leadership, fresh bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seat == nil || m.seat.Err() != nil {
		return nil, false
	}
	fresh, m.fresh = m.fresh, false
	return m.seat, fresh
}

// lookTime bounds looking. A member that is being defragmented does not answer for long.
const lookTime = 30 * time.Second

// look looks at the cluster and does what is to be done. It reports whether it was something.
func (m *Maintainer) look(ctx context.Context) bool {
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	seen, err := m.o.Cluster.Observe(looking)
	if ctx.Err() != nil {
		return false
	}
	m.o.Metrics.looked(seen, m.b, err)
	if err != nil {
		m.tell([]Note{{Alarm: true, About: "look", Text: fmt.Sprintf("the cluster cannot be looked at: %v", err)}})
		return false
	}
	now := time.Now()
	m.memory.learn(m.b, seen, now)
	l, fresh := m.held()
	if fresh || l != nil && m.memory.unfinished != nil {
		m.remember(looking)
	}
	s := m.memory.situation(m.b, seen, now)
	s.Own, s.Mine, s.Bases, s.Asks = m.o.Own, l != nil, m.o.Base != nil, m.o.Floor != nil
	if err := m.situate(looking, s); ctx.Err() != nil {
		return false
	} else if err != nil {
		m.tell([]Note{{Alarm: true, About: "look", Text: fmt.Sprintf("who holds the seat cannot be seen: %v", err)}})
		return false
	}
	d := m.decide(looking, s)
	m.memory.last = d.Step.Do
	m.o.Metrics.compacted.Set(float64(m.memory.compacted))
	if s.Backup && s.FloorErr == nil {
		m.o.Metrics.floor.Set(float64(s.Floor))
	}
	if l == nil && !s.full() && d.Step.Do == Nothing {
		m.forget() // it is the holder's to tell
	} else {
		m.tell(d.Notes)
	}
	if !s.full() && s.Seen.Majority {
		m.writeUnwritten(looking)
		m.settle(looking, s)
	}
	if d.Step.Do == Nothing {
		return false
	}
	return m.act(ctx, l, s, d.Step)
}

// decide decides. The backup is asked only where its answer matters: asking costs, and
// nearly always there is nothing to do.
func (m *Maintainer) decide(ctx context.Context, s *Situation) Decision {
	d := decide(m.b, s)
	if d.Step.Do != Compact {
		return d
	}
	switch {
	case m.o.Floor != nil:
		s.Backup = true
		if s.Floor, s.FloorErr = m.o.Floor(ctx); s.FloorErr != nil {
			s.Floor = 0
		}
	case m.o.Kept != nil:
		where, err := m.o.Kept(ctx)
		if where == "" && err == nil {
			return d
		}
		if s.Backup, s.FloorErr = true, err; err == nil {
			s.FloorErr = fmt.Errorf("it is kept in %s, and this process was not told: start it with --backup, or \"tow cluster maintain\" with --store and --cluster", where)
		}
	default:
		return d
	}
	return decide(m.b, s)
}

// situate adds what is known of others: who holds the seat, and what that one reaches.
func (m *Maintainer) situate(ctx context.Context, s *Situation) error {
	// Nobody else is asked where there is nothing that they could do.
	if s.Held = s.Mine; s.Mine || !s.full() && len(s.Pays) == 0 && !s.Asks {
		return nil
	}
	view, err := m.group.View(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	me := m.candidate
	m.mu.Unlock()
	for _, seat := range view.Seats {
		if seat.Candidate == "" || seat.Candidate == me { // what was just lost, or just acquired
			continue
		}
		s.Held = true
		i := slices.IndexFunc(view.Candidates, func(c election.Candidate) bool { return c.ID == seat.Candidate })
		if i >= 0 {
			labels := view.Candidates[i].Labels
			reach := labels[reachLabel]
			s.TheyAsk = labels[floorLabel] == asksIt
			s.Theirs = func(id cluster.ID) bool { return reach == reachesAll || reach == id.String() }
		}
	}
	return nil
}

// remember takes over from the journal what others have done before.
func (m *Maintainer) remember(ctx context.Context) {
	events, err := m.journal.Read(ctx)
	if err != nil {
		m.o.Log.Warn("what was done before cannot be read", "error", err)
		return
	}
	m.memory.unfinished = nil
	for _, e := range events {
		switch e.Do {
		case Compact:
			if e.Outcome == Done && e.Revision > m.memory.compacted {
				m.memory.compacted, m.memory.compactedAt = e.Revision, e.Time
			}
		case Defragment:
			if e.Time.After(m.memory.tried[e.ID]) {
				m.memory.tried[e.ID] = e.Time
			}
			// One's own member says itself whether it is busy.
			if m.memory.unfinished = nil; e.Outcome == Begun && m.o.Own != 0 && e.ID != m.o.Own {
				m.memory.unfinished = &e
			}
		}
	}
}

// tell says what is new of what there is to say.
func (m *Maintainer) tell(notes []Note) {
	now := map[string]Note{}
	for _, n := range notes {
		now[n.About] = n
		if m.told[n.About].Text == n.Text {
			continue
		}
		level := slog.LevelInfo
		if n.Alarm {
			level = slog.LevelWarn
		}
		m.o.Log.Log(context.Background(), level, "maintainer: "+n.Text)
		m.o.Event(Event{Time: time.Now(), By: m.o.Name, Alarm: n.Alarm, Why: n.Text})
	}
	for about, old := range m.told {
		if _, still := now[about]; !still && old.Alarm {
			text := "no longer: " + strings.ToLower(old.Text[:1]) + old.Text[1:]
			m.o.Log.Info("maintainer: " + text)
			m.o.Event(Event{Time: time.Now(), By: m.o.Name, Why: text})
		}
	}
	m.o.Metrics.tell(m.told, now)
	m.told = now
}

// forget ends what was told without a word.
func (m *Maintainer) forget() {
	m.o.Metrics.tell(m.told, nil)
	m.told = map[string]Note{}
}
