package fleet

import (
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
	probing      *Probed // the round that is under way
}

func newProgram(name string) *program {
	return &program{
		name: name, ready: map[release.Digest]Prepared{}, loading: map[release.Digest]context.CancelFunc{},
		notBefore: map[release.Digest]time.Time{}, troubles: map[release.Digest]*Trouble{}, tried: map[release.Digest]bool{}, ahead: map[release.Digest]bool{},
		references: map[release.Digest]References{},
	}
}

// loaded is how a load, or a probe, ended.
type loaded struct {
	program *program
	release release.Digest
	ready   Prepared
	err     error
	probed  *Probed // of a probe, nothing else
	ahead   bool    // it was fetched ahead alone
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
	if beside == "" || p.hopeless(beside) {
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
	needed := []release.Digest{main, beside}
	round := i.ProbeOf(a.o.Node)
	if round != 0 || i.Candidate != "" && i.Onebox == a.o.Node {
		needed = append(needed, i.Candidate, i.Release)
	}
	p.closeBut(needed)
	for _, d := range needed {
		p.load(ctx, a, d)
	}
	// All nodes of a fleet at once had better not ask for a tow, which is large.
	if ahead := i.RoleOf(a.o.Node).Ahead; ahead != "" && !p.ahead[ahead] && p.name != release.Tow {
		p.fetch(ctx, a, ahead)
	}
	if round != 0 && !p.probing.In(i.Deployment, round) && !p.probed.In(i.Deployment, round) {
		p.probe(ctx, a, i, round)
	}
	if main == "" && i.Release == "" && i.Candidate == "" { // nothing is to be served any more
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
// process would otherwise do so for ever.
func (p *program) place(a *Agent, i *Intent, main, beside release.Digest, share float64) {
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
	if !a.save() {
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
func (p *program) closeBut(needed []release.Digest) {
	for d, cancel := range p.loading {
		if !slices.Contains(needed, d) {
			cancel()
		}
	}
	for d, r := range p.ready {
		if !slices.Contains(needed, d) && d != p.main && d != p.beside {
			r.Close()
			delete(p.ready, d)
		}
	}
}

// load begins to make a release ready, if it is not and may be tried.
func (p *program) load(ctx context.Context, a *Agent, d release.Digest) {
	if d == "" || p.ready[d] != nil || p.loading[d] != nil || p.hopeless(d) || p.notBefore[d].After(time.Now()) {
		return
	}
	if p.name == release.Tow && d == a.o.Self.Release {
		p.ready[d] = inPlace{}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.LoadTime)
	p.loading[d] = cancel
	policy := a.memory.Policy
	a.ends.Go(func() {
		defer cancel()
		l := loaded{program: p, release: d}
		var parts *release.Loaded
		if parts, l.err = a.o.Objects.Get(ctx, p.name, d, policy); l.err == nil {
			l.references = a.referencesOf(ctx, p.name, parts)
			l.ready, l.err = a.o.Host.Prepare(ctx, p.name, parts)
		}
		a.done(l)
	})
}

// fetch gets a release onto the node's disk that may be needed soon.
func (p *program) fetch(ctx context.Context, a *Agent, d release.Digest) {
	p.ahead[d] = true
	policy := a.memory.Policy
	a.ends.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, a.o.LoadTime)
		defer cancel()
		l := loaded{program: p, release: d, ahead: true}
		parts, err := a.o.Objects.Get(ctx, p.name, d, policy)
		if err == nil {
			l.references = a.referencesOf(ctx, p.name, parts)
			if checker, can := a.o.Host.(Checker); can {
				err = checker.Check(ctx, p.name, parts)
			}
		}
		if fault := (*Fault)(nil); errors.As(err, &fault) { // better known before it is needed
			l.err = err
		} else if err != nil {
			a.o.Log.Debug("a release could not be fetched ahead", "program", p.name, "release", d.Short(), "error", err)
		}
		if l.err != nil || l.references != nil {
			a.done(l)
		}
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
		if p.probing.In(l.probed.Deployment, l.probed.Round) {
			p.probed, p.probing = l.probed, nil
		}
		return
	}
	if !l.ahead {
		delete(p.loading, l.release)
	}
	if a.programs[p.name] != p { // it was dropped meanwhile
		if l.ready != nil {
			l.ready.Close()
		}
		return
	}
	if l.references != nil {
		p.references[l.release] = *l.references
	}
	var fault *Fault
	was := p.troubles[l.release]
	switch {
	case l.err == nil && l.ahead: // there is nothing against it
	case l.err == nil:
		p.ready[l.release] = l.ready
		if was != nil && was.Kind == Fetching {
			delete(p.troubles, l.release)
		}
	case errors.As(l.err, &fault):
		p.troubles[l.release] = &Trouble{Release: l.release, Kind: fault.Kind, Text: cut(fault.Error(), maxTrouble)}
		a.say(p.name, slog.LevelError, "a release cannot run here", "release", l.release.Short(), "error", l.err)
	case errors.Is(l.err, context.Canceled): // it was not needed any more
	default:
		if was == nil || was.Kind == Fetching {
			p.troubles[l.release] = &Trouble{Release: l.release, Kind: Fetching, Text: cut(l.err.Error(), maxTrouble)}
		}
		a.say(p.name, slog.LevelWarn, "a release cannot be had now, and is tried again", "release", l.release.Short(), "error", l.err)
		p.notBefore[l.release] = a.again()
	}
}

// probe tries out what answers the calls of both releases, once they are ready.
func (p *program) probe(ctx context.Context, a *Agent, i *Intent, round int64) {
	sides := [2]release.Digest{i.Release, i.Candidate}
	for _, d := range sides {
		if d != "" && p.ready[d] == nil && !p.hopeless(d) {
			return // when it is
		}
	}
	p.probing = &Probed{Deployment: i.Deployment, Round: round}
	ready := [2]Prepared{p.ready[sides[0]], p.ready[sides[1]]}
	a.ends.Go(func() {
		var texts [2]string
		for k, r := range ready {
			if r == nil {
				continue // what is wrong is told as trouble
			}
			ctx, cancel := context.WithTimeout(ctx, a.o.ProbeTime)
			if err := r.Probe(ctx); err != nil {
				texts[k] = cut(err.Error(), maxTrouble)
			}
			cancel()
		}
		if ctx.Err() == nil {
			a.done(loaded{program: p, probed: &Probed{i.Deployment, round, texts[0], texts[1]}})
		}
	})
}
