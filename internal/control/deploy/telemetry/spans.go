package telemetry

import (
	"crypto/sha256"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"towpath.dev/internal/control/deploy"
)

// A Span is a span of OpenTelemetry.
type Span struct {
	Trace      trace.TraceID
	ID, Parent trace.SpanID // no parent: zero
	Name       string
	Kind       trace.SpanKind
	Start, End time.Time
	Attributes []attribute.KeyValue
	Events     []SpanEvent
	Failed     string // why the status is an error; "" is unset
}

// A SpanEvent is something that happened in a span.
type SpanEvent struct {
	Name       string
	Time       time.Time
	Attributes []attribute.KeyValue
}

// Names of attributes: the conventions' for CI/CD, version 1.43, and ours.
const (
	keyPipeline    = "cicd.pipeline.name"
	keyAction      = "cicd.pipeline.action.name"
	keyRun         = "cicd.pipeline.run.id"
	keyResult      = "cicd.pipeline.result"
	keyTask        = "cicd.pipeline.task.name"
	keyTaskRun     = "cicd.pipeline.task.run.id"
	keyTaskResult  = "cicd.pipeline.task.run.result"
	keyTaskType    = "cicd.pipeline.task.type"
	keyEnvironment = "deployment.environment.name"
	keyDeployment  = "deployment.id"
	keyStatus      = "deployment.status"
	keyError       = "error.type"

	keyRelease  = "towpath.release"
	keyPrevious = "towpath.release.previous"
	keyOutcome  = "towpath.deployment.result"
	keyReason   = "towpath.deployment.reason"
	keyEvidence = "towpath.deployment.evidence"
	keyBlame    = "towpath.deployment.blame"
	keyBy       = "towpath.deployment.by"
	keyEvent    = "towpath.event.id"
	keyText     = "towpath.event.text"
	keyNode     = "towpath.node"
)

// TraceID is the trace of a deployment at a source, whoever exports it.
func TraceID(source, deployment string) (id trace.TraceID) {
	hash(id[:], "trace", source, deployment)
	return id
}

// spanID is a span's: of a part of a deployment by its name, or of all of it.
func spanID(source, deployment, part string) (id trace.SpanID) {
	hash(id[:], "span", source, deployment, part)
	return id
}

// hash fills an id with what a list of texts comes to.
func hash(into []byte, texts ...string) {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:%s,", len(text), text)
	}
	copy(into, h.Sum(nil))
}

// traceParent is the span of all of a deployment, as W3C's header has it.
func traceParent(source, deployment string) string {
	return fmt.Sprintf("00-%s-%s-01", TraceID(source, deployment), spanID(source, deployment, ""))
}

// Spans are those that are complete and that nobody has been told of who has been told up to
// the mark: of the deployment once it has ended, of each stage once it was left, and of what
// nodes said of one that had been told before. A span's events are what happened in it.
func (t *Timeline) Spans(source string, m Mark) []Span {
	parts, whole := t.parts()
	spans := make([]Span, len(parts)+1)
	closed := make([]int64, len(spans)) // by the controllers' event of this number
	for i := range parts {
		spans[i], closed[i] = t.task(source, &parts[i]), parts[i].to
	}
	root := len(parts)
	spans[root], closed[root] = t.root(source, whole), whole.to
	var late []Span
	for _, e := range t.after(nil) {
		at, event := carrier(parts, e), spanEvent(e)
		switch {
		case closed[at] == 0 || closed[at] > m[""]:
			spans[at].Events = append(spans[at].Events, event)
		case !m.Has(e):
			late = append(late, t.lateSpan(source, at, parts, e, event))
		}
	}
	var all []Span
	for i, s := range spans {
		if closed[i] > m[""] {
			all = append(all, s)
		}
	}
	return append(all, late...)
}

// carrier is the part in which an event happened, or all of the deployment, which comes
// behind the parts. A controller's event is placed by its number, a node's by its time.
func carrier(parts []part, e *deploy.Event) int {
	for i := len(parts) - 1; i >= 0; i-- {
		p := &parts[i]
		if e.Node == "" && p.from <= e.Seq && (p.to == 0 || e.Seq <= p.to) {
			return i
		}
		if e.Node != "" && !e.Time.Before(p.start) && (p.to == 0 || e.Time.Before(p.end)) {
			return i
		}
	}
	return len(parts)
}

// spanEvent is an event as a span has it.
func spanEvent(e *deploy.Event) SpanEvent {
	s := SpanEvent{Name: string(e.Type), Time: e.Time.UTC(), Attributes: []attribute.KeyValue{
		attribute.String(keyEvent, e.ID()), attribute.String(keyText, e.Text),
	}}
	if e.Node != "" {
		s.Attributes = append(s.Attributes, attribute.String(keyNode, e.Node))
	}
	return s
}

// lateSpan is of an event whose span has been told of before.
func (t *Timeline) lateSpan(source string, at int, parts []part, e *deploy.Event, s SpanEvent) Span {
	parent := ""
	if at < len(parts) {
		parent = parts[at].id()
	}
	return Span{
		Trace: TraceID(source, t.ID), ID: spanID(source, t.ID, "event/"+e.ID()), Parent: spanID(source, t.ID, parent),
		Name: s.Name, Kind: trace.SpanKindInternal, Start: s.Time, End: s.Time,
		Attributes: append(t.common(), s.Attributes...),
	}
}

// id tells the parts of a deployment apart: a stage may be called "return".
func (p *part) id() string {
	if p.stage {
		return "stage/" + p.name
	}
	return p.name
}

// common is what all spans of a deployment say.
func (t *Timeline) common() []attribute.KeyValue {
	program, environment := t.names()
	return []attribute.KeyValue{
		attribute.String(keyPipeline, program), attribute.String(keyRun, t.ID),
		attribute.String(keyDeployment, t.ID), attribute.String(keyEnvironment, environment),
	}
}

const runAction = "RUN"

// root is the span of all of a deployment.
func (t *Timeline) root(source string, whole part) Span {
	program, _ := t.names()
	s := Span{
		Trace: TraceID(source, t.ID), ID: spanID(source, t.ID, ""), Name: runAction + " " + program,
		Kind: trace.SpanKindServer, Start: whole.start.UTC(), End: whole.end.UTC(), Attributes: t.common(),
	}
	o := t.outcome(deploy.EventEnded)
	result, kind := resultOf(o)
	s.add(keyAction, runAction)
	s.add(keyResult, result)
	s.add(keyRelease, string(t.candidate()))
	s.add(keyPrevious, string(t.from()))
	if t.Plan != nil {
		s.add(keyBy, t.Plan.By)
	}
	switch result {
	case resultSuccess:
		s.add(keyStatus, "succeeded")
	case resultFailure:
		s.add(keyStatus, "failed")
	}
	s.say(o)
	s.fail(kind, o)
	return s
}

// task is the span of a part.
func (t *Timeline) task(source string, p *part) Span {
	s := Span{
		Trace: TraceID(source, t.ID), ID: spanID(source, t.ID, p.id()), Parent: spanID(source, t.ID, ""), Name: p.name,
		Kind: trace.SpanKindInternal, Start: p.start.UTC(), End: p.end.UTC(), Attributes: t.common(),
	}
	s.add(keyTask, p.name)
	s.add(keyTaskRun, t.ID+"/"+p.id())
	s.add(keyTaskType, "deploy")
	if p.passed {
		s.add(keyTaskResult, resultSuccess)
		return s
	}
	o := t.outcome(deploy.EventReturns)
	result, kind := resultOf(o)
	s.add(keyTaskResult, result)
	s.say(o)
	s.fail(kind, o)
	return s
}

func (s *Span) add(key, value string) {
	if value != "" {
		s.Attributes = append(s.Attributes, attribute.String(key, value))
	}
}

// say has the span say what an outcome says.
func (s *Span) say(o *deploy.Outcome) {
	if o == nil {
		return
	}
	s.add(keyOutcome, string(o.Result))
	s.add(keyReason, o.Why)
	s.add(keyEvidence, o.Evidence)
	s.add(keyBlame, string(o.Blame))
}

// fail has the span's status be an error of a kind, if there is one.
func (s *Span) fail(kind string, o *deploy.Outcome) {
	if kind == "" {
		return
	}
	s.add(keyError, kind)
	s.Failed = "not known any more"
	if o != nil {
		s.Failed = o.Why
	}
}

// status is a span's status in OpenTelemetry's terms.
func (s *Span) status() codes.Code {
	if s.Failed != "" {
		return codes.Error
	}
	return codes.Unset
}

// Results in the conventions' terms. "error", which is that of the system, no deployment has.
const (
	resultSuccess      = "success"
	resultFailure      = "failure"
	resultCancellation = "cancellation"
	resultSkip         = "skip"
)

// resultOf is an outcome in the conventions' terms, with the kind of error, which is whose it
// was.
func resultOf(o *deploy.Outcome) (result, kind string) {
	switch {
	case o == nil:
		return resultFailure, "_OTHER"
	case o.Result == deploy.Succeeded:
		return resultSuccess, ""
	case o.Result == deploy.Superseded:
		return resultSkip, ""
	case o.Result == deploy.Cancelled, o.Blame == deploy.APerson:
		return resultCancellation, ""
	case o.Blame == deploy.YourCode, o.Blame == deploy.TheUpgrade:
		return resultFailure, "code"
	case o.Blame == deploy.YourDependency:
		return resultFailure, "dependency"
	case o.Blame == deploy.AnAlarm:
		return resultFailure, "alarm"
	}
	return resultFailure, "_OTHER"
}
