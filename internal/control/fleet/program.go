package fleet

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"towpath.dev/internal/control/release"
)

// program is what an agent has of a program. The agent's loop owns it.
type program struct {
	name         string
	main, beside release.Digest // in place; "" is none
	share        float64
	ready        map[release.Digest]Prepared           // in place, or soon
	loading      map[release.Digest]context.CancelFunc // under way
	notBefore    map[release.Digest]time.Time          // when loading is tried again
	troubles     map[release.Digest]*Trouble
	tried        map[release.Digest]bool // begun by this process, and running
	ahead        map[release.Digest]bool // fetched, or being fetched
	references   map[release.Digest]References
	anyhow       release.Digest // that the node died of, and runs for want of another
	settles      time.Time      // when what is tried has run for long enough
	probed       *Probed
	probing      *probing // under way

	hopes    []release.Digest             // refused, and of use if that ends
	looks    map[release.Digest]time.Time // when these are looked at again
	vets     map[release.Digest]time.Time // when it is looked whether what is in place may still run
	disowned map[release.Digest]string    // in place, and may not: why
}

func newProgram(name string) *program {
	return &program{
		name: name, ready: map[release.Digest]Prepared{}, loading: map[release.Digest]context.CancelFunc{},
		notBefore: map[release.Digest]time.Time{}, troubles: map[release.Digest]*Trouble{}, tried: map[release.Digest]bool{}, ahead: map[release.Digest]bool{},
		references: map[release.Digest]References{}, looks: map[release.Digest]time.Time{}, vets: map[release.Digest]time.Time{},
		disowned: map[release.Digest]string{},
	}
}

// loaded is how a load, or a probe, ended.
type loaded struct {
	program *program
	release release.Digest
	ready   Prepared
	err     error
	policy  []byte  // by which the release was to run
	probed  *Probed // of a probe, nothing else
	ahead   bool    // it was fetched ahead alone
	vetted  bool    // it was looked at alone, as it is in place
	// references are which of the environment's resolve here; nil is not known.
	references *References
}

// wants is what shall be in place, of what the node can run.
func (p *program) wants(a *Agent, i *Intent) (main, beside release.Digest, share float64) {
	role := i.RoleOf(a.o.Node)
	main, beside, share = role.Main, role.Beside, role.Share
	if p.hopeless(main) {
		main = role.Instead
		if main == "" {
			main = a.memory.previous(p.name, role.Main)
		}
		if main == "" || p.hopeless(main) { // nothing better is known
			main = p.main
		}
		// To serve nothing is worse than to die of it again. In the place of tow itself there is
		// always the one that is installed.
		if t := p.troubles[role.Main]; main == "" && p.name != release.Tow && t != nil && t.Kind == GaveUp {
			p.anyhow, main = role.Main, role.Main
		}
	}
	if a.unsaved != nil && role.Instead != "" && !p.proved(a, main) && !p.hopeless(role.Instead) {
		main = role.Instead // until it can be written down that the candidate is tried
	}
	if beside == "" || p.hopeless(beside) || a.unsaved != nil && !p.proved(a, beside) {
		beside, share = "", 0
	}
	return main, beside, share
}

// hopeless reports whether the node will not run a release.
func (p *program) hopeless(d release.Digest) bool {
	t := p.troubles[d]
	return t != nil && t.Kind.Final() && d != p.anyhow
}

// step does what can be done now towards an intent.
func (p *program) step(ctx context.Context, a *Agent, i *Intent) {
	main, beside, share := p.wants(a, i)
	role := i.RoleOf(a.o.Node)
	needed := []release.Digest{main, beside}
	round := i.ProbeOf(a.o.Node)
	if round != 0 || i.Candidate != "" && i.Onebox == a.o.Node {
		needed = append(needed, i.Candidate, i.Release)
	}
	needed = append(needed, p.refused(role.Main, role.Beside)...)
	p.hopes = p.refused(append(needed, role.Ahead)...)
	p.vet(ctx, a)
	if !p.probing.in(i.Deployment, round) {
		p.probing.end()
	}
	p.closeBut(a, needed)
	for _, d := range needed {
		p.load(ctx, a, d)
	}
	// All nodes of a fleet at once had better not ask for a tow, which is large.
	if ahead := role.Ahead; ahead != "" && (!p.ahead[ahead] || p.due(ahead)) && p.name != release.Tow {
		p.fetch(ctx, a, ahead)
	}
	if round != 0 && p.probing == nil && !p.probed.In(i.Deployment, round) {
		p.probe(ctx, a, i, round)
	}
	installed := p.name == release.Tow && role.Main == ""                  // whatever the others are to be
	if main == "" && (installed || i.Release == "" && i.Candidate == "") { // nothing is to be served any more
		if p.main != "" {
			p.place(a, i, "", "", 0)
		}
		return
	}
	if p.ready[main] == nil {
		return // what is served is served on
	}
	if beside != "" && p.ready[beside] == nil { // later
		beside, share = "", 0
	}
	if main != p.main || beside != p.beside || share != p.share {
		p.place(a, i, main, beside, share)
	}
}

// place puts releases in place. What is new is written down first: a release that kills the
// process would otherwise do so for ever. What has proved itself is put in place without, as the
// way back must not need room on a disk.
func (p *program) place(a *Agent, i *Intent, main, beside release.Digest, share float64) {
	before := a.memory.of(p.name)
	proved := p.proved(a, main) && p.proved(a, beside)
	begun := slices.DeleteFunc([]release.Digest{main, beside}, func(d release.Digest) bool { return p.tried[d] })
	watched := p.begin(a, i.Deployment, main)
	watched = p.begin(a, i.Deployment, beside) || watched
	if main != "" && main != p.main {
		a.memory.ran(p.name, main)
		a.memory.forget(p.name)
		a.dirty = true
	}
	if p.name == release.Tow && main == "" {
		delete(a.memory.Ran, p.name)
		a.dirty = true
	}
	if !a.save() && !proved {
		a.memory.put(p.name, before) // it was not in place
		for _, d := range begun {
			delete(p.tried, d)
		}
		return // and again, soon
	}
	if p.name == release.Tow {
		if !a.placeSelf(main) {
			return
		}
	} else if err := a.o.Host.Place(p.name, p.ready[main], p.ready[beside], share); err != nil {
		a.say(p.name, slog.LevelError, "a release cannot be put in place", "error", err)
		a.again()
		return
	}
	for _, d := range []release.Digest{p.main, p.beside} {
		if d != "" && d != main && d != beside {
			delete(p.ready, d) // its requests end, and the host frees it
			p.survived(a, d)
		}
	}
	if main != p.main || beside != p.beside {
		a.placed()
	}
	p.main, p.beside, p.share = main, beside, share
	if watched {
		p.settles = time.Now().Add(a.o.Settle)
	}
	a.say(p.name, slog.LevelInfo, "placed", "release", main.Short(), "beside", beside.Short(), "share", share, "deployment", i.Deployment)
}

// proved reports whether a release may be put in place before that is written down: it ran for
// long enough, or is what ran before and the node has not died of it, or ran before and else there
// was nothing. Of tow that is not known before it is written down.
func (p *program) proved(a *Agent, d release.Digest) bool {
	if d == "" || d == p.main || d == p.beside {
		return true
	}
	t := a.memory.Tries[p.name][d]
	if t != nil && t.Settled {
		return true
	}
	return p.name != release.Tow && slices.Contains(a.memory.Ran[p.name], d) && (t == nil || t.Deaths == 0 || p.main == "")
}

// begin notes that a release is about to run, and reports whether it is watched.
func (p *program) begin(a *Agent, deployment string, d release.Digest) bool {
	if d == "" || p.tried[d] || p.hopeless(d) {
		return false
	}
	p.tried[d], a.dirty = true, true
	return a.memory.try(p.name, deployment, d, time.Now())
}

// survived notes that a release ran no more, and that the process did not die of it.
func (p *program) survived(a *Agent, d release.Digest) {
	if t := a.memory.Tries[p.name][d]; p.tried[d] && t != nil && t.Running {
		t.Running = false
		a.dirty = true
	}
	delete(p.tried, d)
}

// closeBut ends loads and frees releases that are not needed.
func (p *program) closeBut(a *Agent, needed []release.Digest) {
	for d, cancel := range p.loading {
		if !slices.Contains(needed, d) {
			cancel()
		}
	}
	for d, r := range p.ready {
		if !slices.Contains(needed, d) && d != p.main && d != p.beside {
			p.free(a, d, r)
		}
	}
}

// load begins to make a release ready, if it is not and may be tried.
func (p *program) load(ctx context.Context, a *Agent, d release.Digest) {
	again := p.due(d)
	if d == "" || p.ready[d] != nil || p.loading[d] != nil || !again && (p.hopeless(d) || p.notBefore[d].After(time.Now())) {
		return
	}
	if p.name == release.Tow && d == a.o.Self.Release {
		p.ready[d] = inPlace{}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.LoadTime)
	p.loading[d] = cancel
	p.looks[d] = a.lookAt(d)
	policy := a.memory.Policy
	a.ends.Go(func() {
		defer cancel()
		l := loaded{program: p, release: d, policy: policy}
		var parts *release.Loaded
		if parts, l.err = a.get(ctx, p.name, d, policy); l.err == nil {
			l.references = a.referencesOf(ctx, p.name, parts)
		}
		if checker, can := a.o.Host.(Checker); l.err == nil && again && can {
			l.err = checker.Check(ctx, p.name, parts) // which is cheap, as most of these looks are in vain
		}
		if l.err == nil {
			l.ready, l.err = a.o.Host.Prepare(ctx, p.name, parts)
		}
		a.done(l)
	})
}

// fetch gets a release onto the node's disk that may be needed soon.
func (p *program) fetch(ctx context.Context, a *Agent, d release.Digest) {
	p.ahead[d] = true
	p.looks[d] = a.lookAt(d)
	policy := a.memory.Policy
	a.ends.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, a.o.LoadTime)
		defer cancel()
		l := loaded{program: p, release: d, policy: policy, ahead: true}
		parts, err := a.get(ctx, p.name, d, policy)
		if err == nil {
			l.references = a.referencesOf(ctx, p.name, parts)
			if checker, can := a.o.Host.(Checker); can {
				err = checker.Check(ctx, p.name, parts)
			}
		}
		if fault := (*Fault)(nil); err != nil && (Passing(err) || !errors.As(err, &fault)) {
			a.o.Log.Debug("a release could not be fetched ahead", "program", p.name, "release", d.Short(), "error", err)
			return
		}
		l.err = err // better known before it is needed
		a.done(l)
	})
}

// done hands what ended to the loop.
func (a *Agent) done(l loaded) {
	select {
	case a.loads <- l:
	case <-a.gone:
		if l.ready != nil {
			l.ready.Close()
		}
	}
}

// took takes over what ended.
func (p *program) took(a *Agent, l loaded) {
	if l.probed != nil {
		if !p.probing.ended { // else it is begun anew, if somebody still asks for it
			p.probed = l.probed
		}
		p.probing = nil
		return
	}
	if !l.ahead && !l.vetted {
		delete(p.loading, l.release)
	}
	if a.programs[p.name] != p || !bytes.Equal(l.policy, a.memory.Policy) { // it was dropped, or may not run any more
		if l.ready != nil {
			l.ready.Close()
		}
		delete(p.looks, l.release) // again, at once
		delete(p.ahead, l.release)
		return
	}
	if l.vetted {
		p.vetted(l)
		return
	}
	if l.references != nil {
		p.references[l.release] = *l.references
	}
	if l.err != nil {
		p.failed(a, l)
		return
	}
	if was := p.troubles[l.release]; was != nil && (was.Kind == Fetching || p.mendable(l.release)) {
		delete(p.troubles, l.release)
	}
	if !l.ahead {
		p.ready[l.release] = l.ready
	}
}

// failed takes over that a release cannot be had, or cannot run here. What is the node's own, or
// that nobody waited for the end, is held against no release.
func (p *program) failed(a *Agent, l loaded) {
	fault, was := (*Fault)(nil), p.troubles[l.release]
	switch {
	case errors.Is(l.err, context.Canceled): // it was not needed any more; where it is, it is tried again
		p.notBefore[l.release] = a.again()
	case errors.As(l.err, &fault) && !Passing(l.err):
		p.troubles[l.release] = &Trouble{Release: l.release, Kind: fault.Kind, Text: cut(fault.Error(), maxTrouble)}
		a.say(p.name, slog.LevelError, "a release cannot run here", "release", l.release.Short(), "error", l.err)
	default:
		if was == nil || was.Kind == Fetching {
			p.troubles[l.release] = &Trouble{Release: l.release, Kind: Fetching, Text: cut(passingText(l.err), maxTrouble)}
		}
		a.say(p.name, slog.LevelWarn, "a release cannot be had now, and is tried again", "release", l.release.Short(), "error", l.err)
		p.notBefore[l.release] = a.again()
	}
}
