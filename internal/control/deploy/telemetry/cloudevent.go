package telemetry

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

// A CloudEvent is an event in the JSON format of CloudEvents 1.0, in structured mode. The
// pair of source and id is unique, and the same however often it is sent.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"` // 1.0
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	// TraceParent is the extension for distributed tracing: the deployment's trace.
	TraceParent string `json:"traceparent"`
	// Data is a [CDEvent], or [Data].
	Data any `json:"data"`
}

// Data is what an event says.
type Data struct {
	Deployment  string           `json:"deployment"`
	Program     string           `json:"program"`
	Environment string           `json:"environment"`
	Event       deploy.EventType `json:"event"`
	Seq         int64            `json:"seq"`
	Stage       string           `json:"stage,omitempty"`
	Node        string           `json:"node,omitempty"`
	Text        string           `json:"text"`
	// Release is the candidate, Previous what it replaces; "" is nothing, or not known yet.
	Release  release.Digest `json:"release,omitempty"`
	Previous release.Digest `json:"previous,omitempty"`
	// Of what returns or has ended:
	Result   deploy.Result `json:"result,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Evidence string        `json:"evidence,omitempty"`
	Blame    deploy.Blame  `json:"blame,omitempty"`
	// More is what the event has beside: of a node, what it runs.
	More map[string]string `json:"more,omitempty"`
}

// A CDEvent is an event of CDEvents 0.4.1, with ours as its custom data.
type CDEvent struct {
	Context CDContext `json:"context"`
	Subject CDSubject `json:"subject"`
	Custom  Data      `json:"customData"`
	Form    string    `json:"customDataContentType"`
}

// CDContext is the context of a CDEvent, which says what the CloudEvent around it says.
type CDContext struct {
	Version   string    `json:"version"`
	ID        string    `json:"id"`
	Source    string    `json:"source"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
}

// CDSubject is what a CDEvent is about.
type CDSubject struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Content CDContent `json:"content"`
}

// CDContent is what is said of the subject.
type CDContent struct {
	PipelineName string       `json:"pipelineName,omitempty"`
	TaskName     string       `json:"taskName,omitempty"`
	PipelineRun  *CDReference `json:"pipelineRun,omitempty"`
	Outcome      string       `json:"outcome,omitempty"`
	Errors       string       `json:"errors,omitempty"`
	Environment  *CDReference `json:"environment,omitempty"`
	ArtifactID   string       `json:"artifactId,omitempty"` // a package URL
}

// CDReference refers to another subject.
type CDReference struct {
	ID     string `json:"id"`
	Source string `json:"source,omitempty"`
}

const (
	cdVersion  = "0.4.1"
	cdPrefix   = "dev.cdevents."
	cdSuffix   = ".0.2.0" // of all the types that we use
	ownPrefix  = "dev.towpath.deployment."
	cdForm     = "application/cdevents+json"
	jsonForm   = "application/json"
	cdSuccess  = "success"
	cdFailure  = "failure"
	queued     = "pipelinerun.queued"
	started    = "pipelinerun.started"
	finished   = "pipelinerun.finished"
	taskBegun  = "taskrun.started"
	taskEnded  = "taskrun.finished"
	deployed   = "service.deployed"
	upgraded   = "service.upgraded"
	rolledBack = "service.rolledback"
	removed    = "service.removed"
)

// ownType is our name for an event that CDEvents has none for.
func ownType(t deploy.EventType) string {
	return ownPrefix + strings.TrimPrefix(string(t), "deployment.")
}

// CloudEvents are what an event of a deployment is told as: one CloudEvent, or two, where
// CDEvents has it for two. The source is where the deployment is, as a URI.
func (t *Timeline) CloudEvents(source string, e *deploy.Event) []CloudEvent {
	m := maker{t, source, e}
	stage := t.stageAt(e)
	switch e.Type {
	case deploy.EventQueued:
		return []CloudEvent{m.run(queued)}
	case deploy.EventBegun:
		return []CloudEvent{m.run(started)}
	case deploy.EventStageBegun:
		return []CloudEvent{m.task("", taskBegun, stage, nil)}
	case deploy.EventStagePassed:
		return []CloudEvent{m.task("", taskEnded, stage, nil)}
	case deploy.EventReturns:
		all := []CloudEvent{m.own()}
		if stage != "" {
			all = append(all, m.task("/stage", taskEnded, stage, t.outcome(e.Type)))
		}
		return all
	case deploy.EventEnded:
		all := []CloudEvent{m.run(finished)}
		if kind, runs := t.service(); kind != "" {
			all = append(all, m.service(kind, runs))
		}
		return all
	}
	return []CloudEvent{m.own()}
}

// service is what the end of a deployment was for the service: "" is nothing.
func (t *Timeline) service() (kind string, runs release.Digest) {
	o := t.outcome(deploy.EventEnded)
	switch from := t.from(); {
	case o == nil || t.Plan == nil:
		return "", ""
	case o.Result == deploy.Succeeded && t.Plan.Undoes != "" && t.Plan.Release != "":
		return rolledBack, t.Plan.Release
	case o.Result == deploy.Succeeded && t.Plan.Undoes != "":
		return removed, ""
	case o.Result == deploy.Succeeded && from == "":
		return deployed, t.Plan.Release
	case o.Result == deploy.Succeeded && from != t.Plan.Release:
		return upgraded, t.Plan.Release
	case o.Result == deploy.Returned && from != "":
		return rolledBack, from
	case o.Result == deploy.Returned:
		return removed, ""
	}
	return "", ""
}

// maker makes CloudEvents of an event.
type maker struct {
	t      *Timeline
	source string
	e      *deploy.Event
}

// data is what the event says.
func (m maker) data() Data {
	program, environment := m.t.names()
	d := Data{
		Deployment: m.t.ID, Program: program, Environment: environment, Event: m.e.Type, Seq: m.e.Seq,
		Stage: m.t.stageAt(m.e), Node: m.e.Node, Text: m.e.Text, Release: m.t.candidate(), More: m.e.Data,
	}
	if m.t.begunBy(m.e) {
		d.Previous = m.t.from()
	}
	if o := m.t.outcome(m.e.Type); o != nil {
		d.Result, d.Reason, d.Evidence, d.Blame = o.Result, o.Why, o.Evidence, o.Blame
	}
	return d
}

// event is a CloudEvent without its data.
func (m maker) event(suffix, kind, subject, form string) CloudEvent {
	return CloudEvent{
		SpecVersion: "1.0", ID: m.e.ID() + suffix, Source: m.source, Type: kind, Subject: subject, Time: m.e.Time.UTC(),
		DataContentType: form, TraceParent: traceParent(m.source, m.t.ID),
	}
}

func (m maker) own() CloudEvent {
	subject := m.t.ID
	if m.e.Node != "" {
		subject += "/" + m.e.Node
	}
	c := m.event("", ownType(m.e.Type), subject, jsonForm)
	c.Data = m.data()
	return c
}

// cd is a CloudEvent with a CDEvent in it.
func (m maker) cd(suffix, kind string, subject CDSubject) CloudEvent {
	c := m.event(suffix, cdPrefix+kind+cdSuffix, subject.ID, cdForm)
	subject.Source = m.source
	c.Data = CDEvent{
		Context: CDContext{Version: cdVersion, ID: c.ID, Source: c.Source, Type: c.Type, Timestamp: c.Time},
		Subject: subject, Custom: m.data(), Form: jsonForm,
	}
	return c
}

// run is of a run of the pipeline, which is the deployment.
func (m maker) run(kind string) CloudEvent {
	program, _ := m.t.names()
	content := CDContent{PipelineName: program}
	if kind == finished {
		content.Outcome, content.Errors = outcomeOf(m.t.outcome(m.e.Type))
	}
	return m.cd("", kind, CDSubject{ID: m.t.ID, Type: "pipelineRun", Content: content})
}

// task is of a task, which is a stage; it passed if there is no outcome against it.
func (m maker) task(suffix, kind, stage string, o *deploy.Outcome) CloudEvent {
	content := CDContent{TaskName: stage, PipelineRun: &CDReference{ID: m.t.ID, Source: m.source}}
	switch {
	case kind == taskEnded && m.e.Type == deploy.EventStagePassed:
		content.Outcome = cdSuccess
	case kind == taskEnded:
		content.Outcome, content.Errors = outcomeOf(o)
	}
	return m.cd(suffix, kind, CDSubject{ID: m.t.ID + "/" + stage, Type: "taskRun", Content: content})
}

// service is of the program in its environment.
func (m maker) service(kind string, runs release.Digest) CloudEvent {
	program, environment := m.t.names()
	content := CDContent{Environment: &CDReference{ID: environment, Source: m.source}}
	if runs != "" {
		content.ArtifactID = "pkg:generic/" + url.PathEscape(program) + "@" + url.QueryEscape(string(runs))
	}
	return m.cd("/service", kind, CDSubject{ID: program, Type: "service", Content: content})
}

// outcomeOf is an outcome in the words of CDEvents, which know no cancelling.
func outcomeOf(o *deploy.Outcome) (outcome, errors string) {
	switch {
	case o == nil:
		return cdFailure, "not known any more"
	case o.Result == deploy.Succeeded:
		return cdSuccess, ""
	}
	text := string(o.Result) + ": " + o.Why + " (" + string(o.Blame) + ")"
	if o.Evidence != "" {
		text += "\n" + o.Evidence
	}
	return cdFailure, text
}

// JSON is the event as it is posted.
func (c *CloudEvent) JSON() []byte {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // our own types, which all can be encoded
	}
	return text
}
