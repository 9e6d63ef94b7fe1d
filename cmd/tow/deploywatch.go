//go:build !solo

// A deployment as it goes, on a terminal and in a log.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/deploy"
)

// deployWatch shows a deployment until it has ended.
type deployWatch struct {
	*ui
	json  bool
	id    string
	drawn int // lines of the picture that stands on the terminal
	plan  *deploy.Plan
	state *deploy.State
	line  string // the verdict
	shown map[string]bool
}

// watchAgain is how long it waits before it asks another time, when the connection is lost.
const watchAgain = time.Second

// run shows the deployment. A deployment that did not succeed is an error.
func (w *deployWatch) run(ctx context.Context, c *client.Control) error {
	w.shown = map[string]bool{}
	for {
		err := w.once(ctx, c)
		switch {
		case ctx.Err() != nil:
			w.settle()
			fmt.Fprintf(w.err, "%s goes on; \"tow deploy status %s --watch\" shows it, \"tow deploy rollback %s\" takes it back.\n", w.id, w.id, w.id)
			return nil
		case w.state != nil && w.state.Phase == deploy.Ended:
			return w.verdict()
		case refusal(err):
			return err
		}
		select { // the control node has gone, and the deployment has not
		case <-ctx.Done():
		case <-time.After(watchAgain):
		}
	}
}

// refusal reports whether an error is final: asked again, a control node would say the same. A
// connection that breaks off in the middle of a message is not, which connect takes for a
// broken protocol.
func refusal(err error) bool {
	var told *connect.Error
	if !errors.As(err, &told) {
		return err != nil // what was told is not understood
	}
	switch told.Code() {
	case connect.CodeUnavailable, connect.CodeUnknown, connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeAborted:
		return false
	case connect.CodeInvalidArgument, connect.CodeInternal:
		return connect.IsWireError(err)
	}
	return true
}

// once shows what one stream tells, and what time does in between.
func (w *deployWatch) once(ctx context.Context, c *client.Control) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Deploy.WatchDeployment(ctx, &towpathv1.WatchDeploymentRequest{Id: w.id})
	if err != nil {
		return err
	}
	defer stream.Close()
	news := make(chan *towpathv1.WatchDeploymentResponse)
	go func() {
		defer close(news)
		for stream.Receive() {
			select {
			case news <- stream.Msg():
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case m, ok := <-news:
			if !ok {
				return stream.Err()
			}
			if err := w.take(m); err != nil {
				return err
			}
		case <-tick.C:
		}
		w.draw()
	}
}

// take takes over what is new, and prints what happened.
func (w *deployWatch) take(m *towpathv1.WatchDeploymentResponse) error {
	plan, state, err := readDeployment(m.GetDeployment())
	if err != nil {
		return err
	}
	w.plan, w.state, w.line = plan, state, m.GetDeployment().GetVerdict()
	for _, text := range m.GetEvents() {
		var e deploy.Event
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		if w.shown[e.ID()] {
			continue
		}
		w.shown[e.ID()] = true
		w.event(&e, text)
	}
	return nil
}

// readDeployment reads what the API tells of a deployment.
func readDeployment(d *towpathv1.Deployment) (*deploy.Plan, *deploy.State, error) {
	plan, state := new(deploy.Plan), new(deploy.State)
	err := errors.Join(json.Unmarshal(d.GetPlan(), plan), json.Unmarshal(d.GetState(), state))
	if err != nil {
		err = fmt.Errorf("the control node tells of %s what this tow does not understand (%w): use the same version", d.GetId(), err)
	}
	return plan, state, err
}

// event prints an event.
func (w *deployWatch) event(e *deploy.Event, text []byte) {
	if w.json {
		fmt.Fprintf(w.out, "%s\n", text)
		return
	}
	w.clear()
	fmt.Fprintln(w.out, eventLine(w.ui, e))
}

// eventLine is an event on one line.
func eventLine(u *ui, e *deploy.Event) string {
	who := ""
	if e.Node != "" {
		who = printable(e.Node) + " "
	}
	return paint(u.outColor, dim, e.Time.Local().Format("15:04:05")) + "  " + who + printable(e.Text)
}

// clear takes the picture off the terminal.
func (w *deployWatch) clear() {
	if w.drawn > 0 {
		fmt.Fprintf(w.out, "\x1b[%dA\x1b[J", w.drawn)
		w.drawn = 0
	}
}

// settle leaves the picture where it is.
func (w *deployWatch) settle() { w.drawn = 0 }

// draw puts the picture on the terminal. Where there is none, events are all there is.
func (w *deployWatch) draw() {
	if w.json || !w.outTerminal || w.plan == nil {
		return
	}
	w.clear()
	lines := picture(w.ui, w.plan, w.state, w.line, time.Now())
	for _, line := range lines {
		fmt.Fprintln(w.out, line)
	}
	w.drawn = len(lines)
}

// verdict is what the deployment came to.
func (w *deployWatch) verdict() error {
	o := w.state.Outcome
	if w.json {
		if o.Result != deploy.Succeeded {
			return errWrong
		}
		return nil
	}
	w.clear()
	if o.Result == deploy.Succeeded {
		fmt.Fprintf(w.out, "%s %s: %s runs %s in %s.\n", paint(w.outColor, green, string(o.Result)), w.id, w.plan.Program, w.plan.Brings(), w.plan.Environment)
		return nil
	}
	text := printable(o.Why)
	if o.Evidence != "" {
		text += "\n  " + printable(o.Evidence)
	}
	fmt.Fprintf(w.out, "%s %s (%s): %s\n", paint(w.outColor, red, string(o.Result)), w.id, o.Blame, text)
	fmt.Fprintf(w.out, "\"tow deploy explain %s\" tells all that happened.\n", w.id)
	return errWrong
}

// picture is a deployment on a few lines.
func picture(u *ui, p *deploy.Plan, s *deploy.State, verdict string, now time.Time) []string {
	done, active, idle := "ok", ">>", "  "
	if u.unicode {
		done, active, idle = "✓", "●", "○"
	}
	var lines []string
	for i := range p.Stages {
		if p.Undoes != "" { // it goes by none
			break
		}
		stage := &p.Stages[i]
		past := i < s.Stage || s.Phase == deploy.Finishing || s.Phase == deploy.Ended && s.Outcome.Result == deploy.Succeeded
		name := fmt.Sprintf("%-12s %s", stage.Name, reachText(stage))
		switch {
		case past:
			lines = append(lines, paint(u.outColor, green, done)+" "+name)
		case i == s.Stage && s.Phase == deploy.Running:
			lines = append(lines, paint(u.outColor, cyan, active)+" "+name+"  "+stepText(stage, s, now))
			if s.Step == deploy.Baking && verdict != "" {
				lines = append(lines, "    "+printable(verdict))
			}
		default:
			lines = append(lines, paint(u.outColor, dim, idle+" "+name))
		}
	}
	if s.Wait != nil {
		text := "waits for " + strings.TrimPrefix(printable(s.Wait.For), "waits for ")
		if !s.Wait.Until.IsZero() {
			text += ", until " + s.Wait.Until.Local().Format("15:04:05") + " probably"
		}
		lines = append(lines, paint(u.outColor, dim, text))
	}
	return lines
}

// reachText is whom a stage reaches.
func reachText(s *deploy.Stage) string {
	to := fmt.Sprintf("%.3g%%", 100*s.Share)
	if where := append(append([]string{}, s.Cells...), s.Regions...); len(where) > 0 {
		to += ": " + strings.Join(where, ", ")
	}
	return "(" + to + ")"
}

// stepText is what a stage is about.
func stepText(stage *deploy.Stage, s *deploy.State, now time.Time) string {
	switch s.Step {
	case deploy.Gate:
		return "may it begin?"
	case deploy.Probing:
		return "is there what is called?"
	case deploy.Reach:
		return "nodes take it up"
	}
	text := fmt.Sprintf("%s of %s", min(now.Sub(s.Since), stage.Bake).Round(time.Second), stage.Bake)
	if s.Test != nil && s.From != "" { // of the first release none are compared
		text += fmt.Sprintf(" · %d requests", s.Test.Requests.Candidate-s.Answered)
	}
	return text
}

// answerOf is an answer of HTTP that is no success, for people.
func answerOf(r *http.Response) string {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 500))
	return r.Status + ": " + firstOf(text)
}
