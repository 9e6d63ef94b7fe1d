package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"towpath.dev/internal/control/release"
)

// A Comparison is what the types say of a candidate beside what runs, and what calls it.
type Comparison struct {
	Compatible bool
	Text       string // what is not, for people
}

// A Comparer compares by types. from runs, and running are the releases of the environment's programs, by
// name.
type Comparer func(ctx context.Context, p *Plan, from release.Digest, running map[string]release.Digest) (Comparison, error)

// comparing is a comparison that is made, or was.
type comparing struct {
	from release.Digest
	over chan struct{} // closed when it was
	made Comparison
	err  error
	at   time.Time
}

// compareTime bounds a comparison, and compareAgain is when one is made again that failed.
const (
	compareTime  = 30 * time.Second
	compareAgain = 10 * time.Second
)

// compared tells a deployment's move how the candidate compares with what runs, where it was compared with
// another release: others had their turn first. It gives in how long to look again; 0 is not for this. What is
// compared is loaded from the store of objects, so others are not kept waiting for it.
func (w *worker) compared(ctx context.Context, t *trial, s *snapshot) time.Duration {
	st := s.state.value
	if w.c.o.Compare == nil || st.Phase != Running || st.Stage > 0 || st.Step != Gate || !uncompared(s.plan, st) {
		return 0
	}
	if c := t.comparing; c == nil || c.from != st.From || c.failed() && time.Since(c.at) > compareAgain {
		c = &comparing{from: st.From, over: make(chan struct{})}
		t.comparing = c
		running := w.c.replica.running(s.plan.Environment)
		w.running.Go(func() {
			defer close(c.over)
			asking, cancel := context.WithTimeout(ctx, compareTime)
			defer cancel()
			c.made, c.err = w.c.o.Compare(asking, s.plan, c.from, running)
			c.at = time.Now()
		})
	}
	select {
	case <-t.comparing.over:
		s.world.Compared, s.world.CompareFault = &t.comparing.made, t.comparing.err
		if t.comparing.err != nil {
			return compareAgain
		}
		return 0
	default:
		s.world.CompareFault = errComparing
		return 100 * time.Millisecond
	}
}

var errComparing = errors.New("it is under way")

// failed reports whether it was made, and failed.
func (c *comparing) failed() bool {
	select {
	case <-c.over:
		return c.err != nil
	default:
		return false
	}
}

// uncompared reports whether another release runs than the one that the candidate was compared with before
// it was deployed.
func uncompared(p *Plan, s *State) bool {
	return !p.ofTow() && p.Undoes == "" && s.From != "" && s.From != cmp.Or(p.Against, p.Ran)
}

// approvalOfTypes is why a person has to approve of a candidate by its types; "" is that nobody has to. Until that
// is known it is what is waited for.
func (m *move) approvalOfTypes() (why string, known bool) {
	if m.s.Stage > 0 || !uncompared(m.p, m.s) {
		return "", true
	}
	with := fmt.Sprintf("%s, which runs now: it was compared with %s", m.s.From.Short(), ranBy(m.p.Program, cmp.Or(m.p.Against, m.p.Ran)))
	switch c := m.w.Compared; {
	case m.w.CompareFault == errComparing:
		return "its types to be compared with those of " + m.s.From.Short(), false
	case m.w.CompareFault != nil:
		return fmt.Sprintf("its types to be compared with those of %s: %v", m.s.From.Short(), m.w.CompareFault), false
	case c == nil:
		return "as nobody has looked whether it is compatible with " + with, true
	case !c.Compatible:
		return fmt.Sprintf("as it is not compatible with %s (%s)", with, strings.Join(strings.Fields(c.Text), " ")), true
	}
	return "", true
}
