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
	// before is why the last one failed, for as long as this one is made, and fails how often in a row.
	before error
	fails  int
}

// compareTime bounds a comparison. One that failed is made again after compareAgain, and then more and
// more seldom.
const (
	compareTime  = 30 * time.Second
	compareAgain = 10 * time.Second
	compareMost  = 5 * time.Minute
)

// compared tells a deployment's move how the candidate compares with what runs, where it was compared with
// another release: others had their turn first. It gives in how long to look again; 0 is not for this. What is
// compared is loaded from the store of objects, so others are not kept waiting for it.
func (w *worker) compared(ctx context.Context, t *trial, s *snapshot) time.Duration {
	st := s.state.value
	if w.c.o.Compare == nil || st.Phase != Running || st.Stage > 0 || st.Step != Gate || !uncompared(s.plan, st) {
		return 0
	}
	if c := t.comparing; c == nil || c.from != st.From || c.failed() && time.Since(c.at) >= c.pause() {
		next := &comparing{from: st.From, over: make(chan struct{})}
		if c != nil && c.from == st.From {
			next.before, next.fails = c.err, c.fails+1
		}
		c = next
		t.comparing = c
		running := w.c.replica.running(s.plan.Environment)
		w.running.Go(func() {
			defer close(c.over)
			asking, cancel := context.WithTimeout(ctx, compareTime)
			defer cancel()
			c.made, c.err = w.c.o.Compare(asking, s.plan, c.from, running)
			c.made.Text, c.at = brief(strings.Join(strings.Fields(c.made.Text), " ")), time.Now()
		})
	}
	select {
	case <-t.comparing.over:
		s.world.Compared, s.world.CompareFault = &t.comparing.made, t.comparing.err
		if t.comparing.err != nil {
			return max(t.comparing.pause()-time.Since(t.comparing.at), time.Millisecond)
		}
		return 0
	default:
		if s.world.CompareFault = t.comparing.before; s.world.CompareFault == nil {
			s.world.CompareFault = errComparing
		}
		return 100 * time.Millisecond
	}
}

var errComparing = errors.New("it is under way")

// pause is how long after a failure another one is made.
func (c *comparing) pause() time.Duration { return min(compareAgain<<min(c.fails, 8), compareMost) }

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
	case errors.Is(m.w.CompareFault, errComparing):
		return "its types to be compared with those of " + m.s.From.Short(), false
	case m.w.CompareFault != nil:
		return fmt.Sprintf("until its types can be compared with those of %s (%s)", with, brief(m.w.CompareFault.Error())), true
	case c == nil:
		return "as nobody has looked whether it is compatible with " + with, true
	case !c.Compatible:
		return fmt.Sprintf("as it is not compatible with %s (%s)", with, c.Text), true
	}
	return "", true
}
