package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/control/release"
)

// Options say what an agent is of, and what it works with. Node, Environment, Cell, Host,
// Link, Objects and Keeper are needed.
type Options struct {
	Node, Environment, Cell string
	Region, Address         string
	Version, Incarnation    string
	ABI                     int
	Capacity                float64
	// Self is set where deployments of tow itself are followed. Nil: they are none of this node's.
	Self *Self

	Host    Host
	Link    Link
	Objects Objects
	Keeper  Keeper
	// Roots have to have signed the first trust policy that the node hears of. Without them it is
	// believed.
	Roots release.Roots
	// Policies is the last trust policy that follows from the one that is known, version by version,
	// as [release.Objects.Policy] says. Nil: versions between cannot be had.
	Policies func(ctx context.Context, known *release.Policy, roots release.Roots) (*release.Policy, error)
	// Kills is what the kernel has killed for want of memory, as the process begins.
	Kills Kills

	// Settle is how long a release runs until a death is no longer counted against it.
	// 0: 10 min.
	Settle time.Duration
	// Counting is how often counters of a program are handed over while a candidate of it is on trial
	// or somebody asks for them, and CountingIdle how often all are. 0: 500 ms and 10 s.
	Counting, CountingIdle time.Duration
	// Again is how long the agent waits at first before it tries again what failed, and
	// AgainMost the longest. 0: 200 ms and 30 s.
	Again, AgainMost time.Duration
	// LoadTime bounds getting a release and making it ready, and ProbeTime a probe.
	// 0: 5 min and 10 s.
	LoadTime, ProbeTime time.Duration

	Log *slog.Logger // default: none
}

// Objects has the parts of releases.
type Objects interface {
	// Get gets a release with its parts from the node's disk, or from elsewhere onto it, and
	// verifies them. What is wrong with the release is a *Fault.
	Get(ctx context.Context, program string, d release.Digest, policy []byte) (*release.Loaded, error)
	// Keep deletes from the node's disk what is of other releases.
	Keep(all []release.Digest) error
	// Believe takes admissions for good that somebody else remembers. It reports whether some are
	// new; the error is that they are believed, and could not be written down.
	Believe(all release.Admitted) (more bool, err error)
}

// Agent makes a node run what it shall.
type Agent struct {
	o       Options
	wake    chan struct{}   // something was heard
	loads   chan loaded     // ended
	gone    <-chan struct{} // closed when Run ends
	ready   chan struct{}   // closed when what was known at the start is in place
	bridges chan bridged    // ended
	turns   chan error      // the host is ready no more, and why, or is so again: nil
	ends    sync.WaitGroup  // of loads and probes

	// The loop's goroutine owns these.
	memory   *Memory
	programs map[string]*program
	trust    trust
	// successor ends the loop: it is to take the process's place.
	successor *Successor
	reported  *Status   // as the control plane has it; nil is not known
	reports   int64     // that were tried
	taken     time.Time // since when the control plane has the status, of this connection; zero is that it may not
	doubts    bool      // whether it shall run nothing: see doubted
	held      bool      // the last that was heard was that the store was restored
	retry     time.Time // of what failed; zero is nothing
	pause     time.Duration
	unsaved   error             // why the memory could not be saved; nil is that it is
	dirty     bool              // the memory is to be saved
	swept     string            // what the disk was swept for
	unready   string            // why the host is not ready; "" is that it is
	shown     map[string]string // what was logged last, by what it is about

	mu    sync.Mutex
	inbox *Heard   // not taken over yet
	anew  bool     // it is of another connection: who tells may know of another status, as a restored store does
	trial []string // programs of which a candidate is on trial here
	stale time.Time
	// refused is how often in a row the host was not ready since something was placed last, and
	// lost whether that was often enough.
	refused int
	lost    bool
}

// NewAgent makes an agent that does nothing before Run.
func NewAgent(o Options) (*Agent, error) {
	var missing []string
	for name, has := range map[string]bool{
		"Node": o.Node != "", "Environment": o.Environment != "", "Cell": o.Cell != "", "Host": o.Host != nil,
		"Link": o.Link != nil, "Objects": o.Objects != nil, "Keeper": o.Keeper != nil,
	} {
		if !has {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("an agent needs %s", strings.Join(missing, ", "))
	}
	o.Settle = cmp.Or(o.Settle, 10*time.Minute)
	o.Counting, o.CountingIdle = cmp.Or(o.Counting, 500*time.Millisecond), cmp.Or(o.CountingIdle, 10*time.Second)
	o.Again, o.AgainMost = cmp.Or(o.Again, 200*time.Millisecond), cmp.Or(o.AgainMost, 30*time.Second)
	o.LoadTime, o.ProbeTime = cmp.Or(o.LoadTime, 5*time.Minute), cmp.Or(o.ProbeTime, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Agent{o: o, wake: make(chan struct{}, 1), loads: make(chan loaded), bridges: make(chan bridged), ready: make(chan struct{}), turns: make(chan error), programs: map[string]*program{}, shown: map[string]string{}}, nil
}

// Stale is since when the agent has heard nothing of the control plane; zero is that it
// hears of it now.
func (a *Agent) Stale() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stale
}

// Ready is closed once the node serves what its disk says that it shall, as far as that can be
// had: until then whoever asks would find less than the process before had.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// settledIn notes that all is in place that can be had now.
func (a *Agent) settledIn() {
	for name, i := range a.memory.Intents {
		p := a.program(name)
		if main, _, _ := p.wants(a, i); name != release.Tow && main != p.main && p.loading[main] != nil {
			return
		}
	}
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
}

// Run keeps the node running what it shall until the context ends, and gives why that
// was, or until another tow is to take the process's place, a [*Successor]. What is placed
// stays in place.
func (a *Agent) Run(ctx context.Context) error {
	memory, err := a.recollect(ctx)
	if err != nil {
		return err
	}
	a.memory, a.stale = memory, memory.Heard
	if a.stale.IsZero() {
		a.stale = time.Now()
	}
	a.recall()
	ctx, cancel := context.WithCancel(ctx)
	a.gone = ctx.Done()
	var running sync.WaitGroup
	defer a.ends.Wait()
	defer running.Wait()
	defer cancel()
	running.Go(func() { a.follow(ctx) })
	running.Go(func() { a.count(ctx) })
	if host, can := a.o.Host.(Readier); can {
		running.Go(func() { a.watch(ctx, host) })
	}
	timer := time.NewTimer(0) // begin with what is on the disk
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			a.rest()
			return context.Cause(ctx)
		case <-a.wake:
			a.hear()
		case l := <-a.loads:
			l.program.took(a, l)
		case b := <-a.bridges:
			a.bridged(b)
		case err := <-a.turns:
			a.turned(err)
		case <-timer.C:
		}
		a.converge(ctx)
		if a.successor != nil {
			delete(a.program(release.Tow).tried, a.successor.Release) // it begins only now
			a.rest()
			return a.successor
		}
		timer.Stop()
		if next := a.next(); !next.IsZero() {
			timer.Reset(max(0, time.Until(next)))
		}
	}
}

// recollect loads the memory, as soon as that can be read.
func (a *Agent) recollect(ctx context.Context) (*Memory, error) {
	for pause := a.o.Again; ; pause = min(2*pause, a.o.AgainMost) {
		m, err := a.o.Keeper.Load()
		if err == nil {
			if m.Aside != "" {
				a.say("", slog.LevelError, m.Aside)
			}
			return m, nil
		}
		a.say("", slog.LevelError, "the node cannot read what it shall run, and tries again", "error", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// recall looks at what the process ran when it ended last, if that was not in good order.
func (a *Agent) recall() {
	if a.o.Self == nil {
		delete(a.memory.Intents, release.Tow)
		delete(a.memory.Tries, release.Tow)
		delete(a.memory.Ran, release.Tow)
		delete(a.memory.Standing, release.Tow)
		delete(a.memory.Lost, release.Tow)
	}
	killed, rebooted := a.o.Kills.since(a.memory.Kills), a.o.Kills.rebooted(a.memory.Kills)
	if rebooted {
		a.o.Log.Info("the machine was started anew: that the process ended is held against no release")
	}
	for name := range a.memory.Tries {
		if rebooted {
			a.memory.ended(name)
		}
		if name == release.Tow {
			a.recallSelf()
			continue
		}
		for d, try := range a.memory.died(name, killed) {
			a.program(name).troubles[d] = try.trouble(d)
		}
	}
	a.memory.Kills, a.memory.Cell, a.memory.Region, a.dirty = a.o.Kills, a.o.Cell, a.o.Region, true
}

// rest is the end in good order, which is no death.
func (a *Agent) rest() {
	for _, p := range a.programs {
		for d := range p.tried {
			p.survived(a, d)
		}
		p.closeBut(a, nil)
	}
	a.save()
}

// program is what the agent has of a program; it is made if there is nothing.
func (a *Agent) program(name string) *program {
	p := a.programs[name]
	if p == nil {
		p = newProgram(name)
		if name == release.Tow && !a.o.Self.Installed {
			p.main = a.o.Self.Release
		}
		a.programs[name] = p
	}
	return p
}

// hear takes over what was heard last.
func (a *Agent) hear() {
	a.mu.Lock()
	h, anew := a.inbox, a.anew
	a.inbox, a.anew = nil, false
	a.mu.Unlock()
	if h == nil {
		return
	}
	if anew || h.Held {
		a.reported, a.taken = nil, time.Time{}
	}
	anew, a.held = anew || a.held, h.Held
	if h.Held {
		a.doubts = false
		return
	}
	if a.o.Self == nil {
		h.Intents = maps.Clone(h.Intents)
		delete(h.Intents, release.Tow)
	}
	h.Intents = a.doubted(h.Intents, anew)
	for name, i := range h.Intents {
		if was := a.memory.Intents[name]; was == nil || was.Deployment != i.Deployment {
			p := a.program(name) // somebody wants it tried again
			clear(p.troubles)
			clear(p.ahead)
			clear(p.looks)
			delete(a.memory.Lost, name)
		}
	}
	a.memory.Heard, a.memory.Intents = time.Now(), h.Intents
	a.hearAdmitted(h.Admitted)
	a.hearPolicy(h.Policy)
	a.dirty = true
	a.retry, a.pause = time.Time{}, 0 // what is new may succeed
	for _, p := range a.programs {
		clear(p.notBefore)
	}
}

// next is when the loop has to look again; zero is when it hears something.
func (a *Agent) next() time.Time {
	next := earlier(a.retry, a.believes())
	for _, p := range a.programs {
		next = earlier(next, p.settles)
		for _, d := range p.hopes {
			if p.loading[d] == nil {
				next = earlier(next, p.looks[d])
			}
		}
		for _, at := range p.vets {
			next = earlier(next, at)
		}
	}
	return next
}

// earlier is the earlier one of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// again has the loop look again, later each time, and gives when.
func (a *Agent) again() time.Time {
	if a.retry.IsZero() {
		a.pause = min(max(2*a.pause, a.o.Again), a.o.AgainMost)
		a.retry = time.Now().Add(a.pause)
	}
	return a.retry
}

// converge makes all programs what they shall be, and says so.
func (a *Agent) converge(ctx context.Context) {
	if !a.retry.After(time.Now()) {
		a.retry = time.Time{}
	}
	a.bridge(ctx)
	a.believe()
	var trial []string
	for _, name := range slices.Sorted(maps.Keys(a.memory.Intents)) {
		i := a.memory.Intents[name]
		if a.memory.stands(name, i) {
			a.dirty = true
		}
		if i.Candidate != "" {
			trial = append(trial, name)
		}
		a.program(name).step(ctx, a, i)
	}
	for name, p := range a.programs {
		if a.memory.Intents[name] == nil {
			a.drop(p)
		}
	}
	a.settledIn()
	a.settle()
	a.mu.Lock()
	a.trial = trial
	a.mu.Unlock()
	a.save()
	a.report(ctx)
	a.sweep()
}

// drop serves a program no more.
func (a *Agent) drop(p *program) {
	p.hopes = nil
	clear(p.vets)
	p.probing.end()
	if p.main != "" && p.name != release.Tow {
		if err := a.o.Host.Place(p.name, nil, nil, 0); err != nil {
			a.say(p.name, slog.LevelError, "the program cannot be removed", "error", err)
			a.again()
			return
		}
		delete(p.ready, p.main)
		delete(p.ready, p.beside)
	}
	p.closeBut(a, nil)
	delete(a.programs, p.name)
	delete(a.memory.Tries, p.name)
	delete(a.memory.Ran, p.name)
	delete(a.memory.Standing, p.name)
	delete(a.memory.Lost, p.name)
	a.dirty = true
}

// settle ends the tries of what has run for long enough.
func (a *Agent) settle() {
	now := time.Now()
	for name, p := range a.programs {
		if p.settles.IsZero() || now.Before(p.settles) {
			continue
		}
		p.settles = time.Time{}
		for d := range p.tried {
			t := a.memory.Tries[name][d]
			if t == nil || d != p.main && d != p.beside {
				continue
			}
			t.Settled = true
			if i := a.memory.Intents[name]; i == nil || d != i.Candidate {
				t.Deaths, t.Starved, t.Killed, t.Lost, t.Single = 0, 0, "", 0, false
			}
		}
		a.memory.forget(name)
		a.dirty = true
	}
}

// save writes the memory down if it has changed, and reports whether it is written. When
// that fails it is tried again: the node serves on, and would start again with what it knew
// before.
func (a *Agent) save() bool {
	if !a.dirty {
		return true
	}
	waited := a.unsaved != nil
	if a.unsaved = a.o.Keeper.Save(a.memory); a.unsaved != nil {
		err := a.unsaved
		a.say("", slog.LevelError, "what the node shall run cannot be written down", "error", err)
		a.again()
		return false
	}
	a.dirty = false
	if waited {
		a.again() // what has waited for it
	}
	return true
}

// say logs what is new.
func (a *Agent) say(about string, level slog.Level, text string, args ...any) {
	line := fmt.Sprint(append([]any{text}, args...)...)
	if a.shown[about] == line {
		return
	}
	a.shown[about] = line
	if about != "" {
		args = append(args, "program", about)
	}
	a.o.Log.Log(context.Background(), level, text, args...)
}

// status is what the node is and runs.
func (a *Agent) status() *Status {
	s := &Status{
		Troubles: a.troubles(),
		Cell:     a.o.Cell, Region: a.o.Region, Address: a.o.Address, Version: a.o.Version, ABI: a.o.ABI,
		Capacity: a.o.Capacity, Incarnation: a.o.Incarnation, Unready: a.unready, Programs: map[string]Running{},
	}
	if a.o.Self != nil {
		s.Upgrades = a.o.Self.Platform
	}
	for name, p := range a.programs {
		r := Running{Main: p.main, Beside: p.beside, Share: p.share, Previous: a.memory.previous(name, p.main), Probed: p.probed}
		if i := a.memory.Intents[name]; i != nil {
			r.Deployment = i.Deployment
		}
		if r.Probed != nil && r.Probed.Deployment != r.Deployment { // nobody asks any more
			r.Probed = nil
		}
		for _, d := range slices.Sorted(maps.Keys(p.troubles)) {
			r.Troubles = append(r.Troubles, *p.troubles[d])
		}
		r.Lost = slices.Clone(a.memory.Lost[name])
		r.References = p.referencesOf(a.memory.Intents[name])
		s.Programs[name] = r
	}
	return s
}

// reportTime bounds a report, and handing counters over.
const reportTime = 10 * time.Second

// report says what the node runs, if that has changed.
func (a *Agent) report(ctx context.Context) {
	s := a.status()
	if !a.Stale().IsZero() { // nobody would hear it
		a.reported = nil
		return
	}
	if a.reported != nil && a.reported.Same(s) {
		return
	}
	a.reports++
	s.Number = a.reports
	asking, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	if err := a.o.Link.Report(asking, s); err != nil {
		a.reported = nil
		a.say("", slog.LevelWarn, "what the node runs could not be reported", "error", err)
		a.again()
		return
	}
	a.reported = s
	if a.taken.IsZero() {
		a.taken = time.Now()
	}
}

// sweep deletes from the disk what no program needs.
func (a *Agent) sweep() {
	var keep []release.Digest
	for name, p := range a.programs {
		keep = append(keep, a.memory.needed(name)...)
		keep = slices.AppendSeq(keep, maps.Keys(p.ready))
		keep = slices.AppendSeq(keep, maps.Keys(p.loading))
	}
	slices.Sort(keep)
	keep = slices.Compact(keep)
	text := fmt.Sprint(keep)
	if text == a.swept {
		return
	}
	if err := a.o.Objects.Keep(keep); err != nil {
		a.say("", slog.LevelWarn, "old releases cannot be deleted", "error", err)
		return
	}
	a.swept = text
}

// follow hears intents until the context ends.
func (a *Agent) follow(ctx context.Context) {
	pause := a.o.Again
	for ctx.Err() == nil {
		began := time.Now()
		if err := a.followOnce(ctx); ctx.Err() == nil {
			a.o.Log.Warn("the node hears of no control node, and serves on", "error", err)
		}
		a.mu.Lock()
		if a.stale.IsZero() {
			a.stale = time.Now()
		}
		a.mu.Unlock()
		if time.Since(began) > a.o.AgainMost {
			pause = a.o.Again
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, a.o.AgainMost)
	}
}

// errEnded is that the control node ended the stream, or the network did.
var errEnded = errors.New("the stream of intents ended")

// followOnce hears intents from one connection.
func (a *Agent) followOnce(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := a.o.Link.Follow(ctx)
	if err != nil {
		return err
	}
	first := true
	for h := range from {
		a.mu.Lock()
		a.inbox, a.stale = &h, time.Time{}
		a.anew, first = a.anew || first, false
		a.mu.Unlock()
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
	return errEnded
}
