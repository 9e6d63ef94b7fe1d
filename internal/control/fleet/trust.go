// By which trust policy a node goes.

package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"towpath.dev/internal/control/release"
)

// trust is how an agent gets on with the trust policies that it is told of. The loop owns it.
type trust struct {
	told    []byte    // what was heard last and does not follow from the policy that is known
	refused error     // why; nil is that the node goes by what was heard last
	gap     bool      // versions between may lead there
	asking  bool      // for them
	after   time.Time // when they are asked for
}

// bridged is what came of asking for the versions between.
type bridged struct {
	policy *release.Policy
	err    error
}

// known is the policy by which the node goes; nil is none. One that cannot be read any more is
// none, as on a new node.
func (a *Agent) known() *release.Policy {
	if len(a.memory.Policy) == 0 {
		return nil
	}
	p, err := release.ReadPolicy(a.memory.Policy)
	if err != nil {
		a.say("", slog.LevelError, "the trust policy that the node knows cannot be read", "error", err)
		return nil
	}
	return p
}

// hearPolicy takes a policy over that a control node told, if that follows from the one that is
// known. Whoever writes to the control plane, or is a part of it, can have a node know a policy
// that root keys have signed, and no other; an older one, as after a restore, does not bring
// back the keys that were revoked since.
func (a *Agent) hearPolicy(told []byte) {
	t := &a.trust
	t.told, t.refused, t.gap = told, nil, false
	if bytes.Equal(told, a.memory.Policy) {
		return
	}
	known := a.known()
	next, err := a.follows(known, told)
	t.refused = err
	switch {
	case err != nil:
		p, unread := release.ReadPolicy(told)
		t.gap = unread == nil && (known == nil || p.Version > known.Version)
		if t.gap && a.o.Policies == nil {
			t.gap = false
			t.refused = fmt.Errorf("%w; this node was given no store of objects to take them from (--objects)", err)
		}
		t.after = time.Time{}
		a.say("", slog.LevelError, "the node does not go by the trust policy that it is told", "error", t.refused)
	case known == nil || next.Version > known.Version:
		a.goBy(told)
	}
}

// hearAdmitted believes what was let in before keys were retired. What is refused is looked at
// again when that is new.
func (a *Agent) hearAdmitted(all release.Admitted) {
	more, err := a.o.Objects.Believe(all)
	if err != nil {
		a.say("", slog.LevelWarn, "what was admitted before cannot be written down", "error", err)
	}
	if !more {
		return
	}
	for _, p := range a.programs {
		p.lookAnew()
		for d := range p.vets {
			p.vets[d] = time.Now()
		}
	}
}

// follows is the policy that was told, if the node is to go by it.
func (a *Agent) follows(known *release.Policy, told []byte) (*release.Policy, error) {
	switch {
	case len(told) == 0:
		about := "a trust policy"
		if known != nil {
			about = fmt.Sprintf("the trust policy %d", known.Version)
		}
		return nil, fmt.Errorf("the control plane has no trust policy, and this node knows %s: there is no way back to none; somebody may have deleted it, or restored a store from before it: set it again (\"tow trust set\")", about)
	case known == nil && len(a.o.Roots.Keys) > 0:
		return a.o.Roots.First(told)
	}
	return known.Next(told)
}

// goBy has the node go by a policy from now on. What was refused may be let run by it, and what
// runs may be no more.
func (a *Agent) goBy(policy []byte) {
	a.memory.Policy, a.dirty = policy, true
	for _, p := range a.programs {
		clear(p.notBefore)
		p.review(a)
	}
}

// bridge asks for the versions of the policy between the one that is known and the one that was
// told, where there may be some.
func (a *Agent) bridge(ctx context.Context) {
	t := &a.trust
	if !t.gap || t.asking || t.after.After(time.Now()) {
		return
	}
	t.asking = true
	known := a.known()
	a.ends.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, a.o.LoadTime)
		defer cancel()
		var b bridged
		b.policy, b.err = a.o.Policies(ctx, known, a.o.Roots)
		select {
		case a.bridges <- b:
		case <-a.gone:
		}
	})
}

// bridged takes over how far the versions between have led.
func (a *Agent) bridged(b bridged) {
	t := &a.trust
	t.asking = false
	known := a.known()
	if b.policy != nil && (known == nil || b.policy.Version > known.Version) {
		if text, err := b.policy.Envelope().Encode(); err == nil {
			a.goBy(text)
		}
	}
	if !t.gap {
		return // another one was heard meanwhile
	}
	a.hearPolicy(t.told)
	if t.refused != nil && b.err != nil {
		t.refused = fmt.Errorf("%w (the versions between: %w)", t.refused, b.err)
	}
	t.after = a.again()
}

// errNoPolicy is that a node that was given root keys knows no policy that they have signed.
var errNoPolicy = errors.New("this node was given root keys (--trust-roots), and knows of no trust policy that they have signed: until it hears of one it begins nothing; set one (\"tow trust set\")")

// get gets a release that may run by the policy.
func (a *Agent) get(ctx context.Context, program string, d release.Digest, policy []byte) (*release.Loaded, error) {
	if len(policy) == 0 && len(a.o.Roots.Keys) > 0 {
		return nil, errNoPolicy
	}
	return a.o.Objects.Get(ctx, program, d, policy)
}
