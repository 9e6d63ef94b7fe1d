package maintain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
)

// How long a step may take: one that is cut off may still be under way, and so these are
// long.
const (
	stepTime    = 10 * time.Minute
	moveTime    = 15 * time.Second
	journalTime = 10 * time.Second
	catchUpTime = 2 * time.Minute
)

// unwrittenMost bounds what is kept for a journal that has no room.
const unwrittenMost = 20

// act does a step, and reports whether it went well. Whoever wants the seat meanwhile waits
// for its end.
func (m *Maintainer) act(ctx context.Context, l *election.Leadership, s *Situation, step Step) bool {
	m.acting <- struct{}{}
	defer func() { <-m.acting }()
	var guard []election.Compare
	if l != nil {
		if l.Err() != nil {
			return false
		}
		guard = append(guard, l.Guard())
	}
	e := Event{Time: time.Now(), By: m.o.Name, Do: step.Do, Member: step.Name, ID: step.Member, Revision: step.Revision, Why: step.Why, Outcome: Begun}
	key := ""
	if step.Do != Ask { // which is another's to act on
		var err error
		if key, err = m.begin(ctx, guard, e); err != nil {
			m.o.Log.Warn("a step was not begun, as it cannot be written down", "step", e.String(), "error", err)
			return false
		}
	}
	m.o.Log.Info("maintainer: "+e.String(), "do", step.Do)
	before := time.Now()
	if step.Do == Defragment {
		m.memory.tried[step.Member] = before
	}
	err := m.do(ctx, s, step, &e)
	e.Took, e.Outcome = time.Since(before), Done
	if err != nil {
		e.Outcome = "failed: " + err.Error()
		m.o.Log.Warn("maintainer: "+e.String(), "do", step.Do, "error", err)
	} else {
		m.o.Log.Info("maintainer: "+e.String(), "do", step.Do, "took", e.Took)
	}
	m.o.Metrics.did(e, err)
	m.o.Event(e)
	m.end(ctx, guard, key, e)
	return err == nil && step.Do != Ask // the seat comes when it comes
}

// begin writes a step down before it is done. A store that is full has no room for that,
// and is helped all the same.
func (m *Maintainer) begin(ctx context.Context, guard []election.Compare, e Event) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	key, err := m.journal.add(ctx, guard, e)
	if errors.Is(err, election.ErrNoSpace) {
		return "", nil
	}
	return key, err
}

// end writes down how a step went. What cannot be written is in the log.
func (m *Maintainer) end(ctx context.Context, guard []election.Compare, key string, e Event) {
	if e.Do == Ask || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	if key == "" {
		m.unwritten = append(m.unwritten, e)
		m.unwritten = m.unwritten[max(0, len(m.unwritten)-unwrittenMost):]
		return
	}
	if err := m.journal.end(ctx, guard, key, e); err != nil {
		m.o.Log.Debug("how a step went was not written down", "step", e.String(), "error", err)
	}
}

// writeUnwritten writes down what the store had no room for. It is past, so that no seat
// matters.
func (m *Maintainer) writeUnwritten(ctx context.Context) {
	for len(m.unwritten) > 0 {
		if _, err := m.journal.add(ctx, nil, m.unwritten[0]); err != nil {
			return // another time
		}
		m.unwritten = m.unwritten[1:]
	}
}

// settle says of a defragmentation of this process's own member that was cut off, as the
// process was, that it is over. Others wait for that.
func (m *Maintainer) settle(ctx context.Context, s *Situation) {
	own := s.Seen.Member(m.o.Own)
	if m.settled || own == nil || !s.reaches(own) {
		return
	}
	events, err := m.journal.Read(ctx)
	if err != nil {
		return // another time
	}
	for _, e := range events {
		if e.Do != Defragment || e.ID != m.o.Own || e.Outcome != Begun {
			continue
		}
		if err := m.o.Cluster.CaughtUp(ctx, own); err != nil {
			return
		}
		e.Outcome = CutOff
		if err := m.journal.end(ctx, nil, e.key, e); err != nil && !errors.Is(err, errDeposed) {
			return
		}
	}
	m.settled = true
}

// do does a step, and notes what came of it.
func (m *Maintainer) do(ctx context.Context, s *Situation, step Step, e *Event) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	member := s.Seen.Member(step.Member)
	switch step.Do {
	case Compact:
		return m.compact(ctx, step)
	case Defragment:
		return m.defragment(ctx, member, e)
	case Move:
		ctx, cancel := context.WithTimeout(ctx, moveTime)
		defer cancel()
		return m.o.Cluster.MoveLeader(ctx, member, step.To)
	case Disarm:
		ctx, cancel := context.WithTimeout(ctx, moveTime)
		defer cancel()
		return m.o.Cluster.Disarm(ctx, cluster.Alarm{Member: step.Member, Kind: cluster.NoSpace})
	case Ask:
		m.mu.Lock()
		me := m.candidate
		m.mu.Unlock()
		if me == "" {
			return errors.New("this process does not stand for the seat yet")
		}
		m.memory.askedAt = time.Now()
		ctx, cancel := context.WithTimeout(ctx, journalTime)
		defer cancel()
		return m.group.Move(ctx, "0", me)
	}
	return fmt.Errorf("there is no step %q", step.Do)
}

// compact has a base made if the backup would be left behind, and compacts. Without the base it
// does not, unless space is scarce.
func (m *Maintainer) compact(ctx context.Context, step Step) error {
	if step.Base {
		basing, cancel := context.WithTimeoutCause(ctx, baseTime, fmt.Errorf("no base within %s", baseTime))
		err := m.o.Base(basing, "the backup is behind, and space presses: "+step.Why)
		cancel()
		m.memory.basedAt = time.Now()
		switch {
		case err == nil:
		case !step.Anyhow || ctx.Err() != nil:
			return fmt.Errorf("history is not forgotten, as there is no base that has it: %w", err)
		default:
			m.o.Log.Warn("maintainer: no base could be made of what is forgotten", "error", err)
		}
	}
	if err := m.o.Cluster.Compact(ctx, step.Revision); err != nil {
		return err
	}
	m.memory.compacted, m.memory.compactedAt = step.Revision, time.Now()
	return nil
}

// defragment defragments a member, and waits until it is counted on again: before that no
// other one is to go.
func (m *Maintainer) defragment(ctx context.Context, member *cluster.Member, e *Event) error {
	if err := m.o.Cluster.Defragment(ctx, member); err != nil {
		return err
	}
	delete(m.memory.pays, member.ID)
	m.memory.askedAt = time.Time{}
	waiting, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	for {
		err := m.o.Cluster.CaughtUp(waiting, member)
		if err == nil {
			break
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%s was defragmented, and has not caught up within %s: %w", member, catchUpTime, err)
		case <-time.After(soon):
		}
	}
	if seen, err := m.o.Cluster.Observe(ctx); err == nil {
		if now := seen.Member(member.ID); now != nil && now.Size > 0 {
			e.Freed = max(member.Size-now.Size, 0)
		}
	}
	return nil
}
