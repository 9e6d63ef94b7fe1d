package deploy

import (
	"context"
	"errors"
	"strings"
	"time"
)

// An Alarm is one that fires, about a program in an environment.
type Alarm struct {
	Environment, Program string
	// Name and Text say for a person what is wrong.
	Name, Text string
	// Since is when it began to fire, by the clock of whoever watches.
	Since time.Time
}

// Alarmed has the deployment go back that is under way, or has just succeeded, if it had begun when the
// alarm did: what began later may be what ends it. By is who tells of the alarm. It gives the
// deployment, "" where there is none, and whether it goes back.
func (s *Service) Alarmed(ctx context.Context, by string, a Alarm) (id string, back bool, err error) {
	heads, err := s.Heads(ctx, a.Environment)
	if err != nil {
		return "", false, err
	}
	h := heads[a.Program]
	if h == nil {
		return "", false, nil
	}
	if h.Active == "" {
		id, err = s.alarmedAfter(ctx, by, a, h)
		return id, id != "", err
	}
	d, err := s.Get(ctx, h.Active)
	if err != nil {
		return "", false, err
	}
	switch st := d.State; {
	case st.Phase == Queued:
		if id, err = s.alarmedAfter(ctx, by, a, h); id != "" || err != nil {
			return id, id != "", err
		}
		return h.Active, false, nil
	case a.Since.Before(st.Begun):
		return h.Active, false, nil
	case st.Phase == Returning:
		return h.Active, true, nil
	}
	_, err = s.Ask(ctx, h.Active, AskBack, Ask{By: by, Alarm: brief(a.Name), Why: brief(a.Text)})
	var over *Refused
	if errors.As(err, &over) { // it ended meanwhile
		return "", false, nil
	}
	return h.Active, err == nil, err
}

// brief is a text that others give, so that the state that it comes to stays within its bounds.
func brief(text string) string {
	const most = 500 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
