package telemetry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"towpath.dev/internal/control/deploy"
)

// text is a span as a test reads it.
func (s *Span) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s-%s", s.Name, s.Kind, s.Start.Format("15:04:05"), s.End.Format("15:04:05"))
	if s.Failed != "" {
		fmt.Fprintf(&b, " failed: %s", s.Failed)
	}
	for _, a := range s.Attributes {
		if k := string(a.Key); k == keyResult || k == keyTaskResult || k == keyError || k == keyBlame || k == keyTask {
			fmt.Fprintf(&b, " %s=%s", k, a.Value.AsString())
		}
	}
	for _, e := range s.Events {
		fmt.Fprintf(&b, "\n  %s %s", e.Time.Format("15:04:05"), e.Name)
	}
	return b.String()
}

func TestSpans(t *testing.T) {
	s := badStory()
	spans := s.Spans(testSource, nil)
	var got []string
	for i := range spans {
		got = append(got, spans[i].text())
		if spans[i].Trace != TraceID(testSource, s.ID) || spans[i].Trace.String() != "15a5c4030c3c43437c1e44e2f414d000" {
			t.Errorf("%s is in the trace %s", spans[i].Name, spans[i].Trace)
		}
		if root := spans[3].ID; i != 3 && spans[i].Parent != root {
			t.Errorf("%s has the parent %s; the root is %s", spans[i].Name, spans[i].Parent, root)
		}
	}
	want := []string{
		`onebox internal 12:03:00-12:07:00 cicd.pipeline.task.name=onebox cicd.pipeline.task.run.result=success
  12:03:00 stage.begun
  12:04:00 stage.probed
  12:05:00 stage.reaches
  12:05:05 node.changed
  12:06:00 stage.bakes
  12:07:00 stage.passed`,
		`wave 1 internal 12:10:00-12:11:00 failed: it is worse than what it would replace cicd.pipeline.task.name=wave 1 cicd.pipeline.task.run.result=failure towpath.deployment.blame=your code error.type=code
  12:10:00 stage.begun
  12:10:11 node.changed
  12:10:12 node.changed`,
		`return internal 12:11:00-12:12:00 cicd.pipeline.task.name=return cicd.pipeline.task.run.result=success
  12:11:00 deployment.returns
  12:11:14 node.changed
  12:12:00 deployment.ended`,
		`RUN shop server 12:01:00-12:12:00 failed: it is worse than what it would replace cicd.pipeline.result=failure towpath.deployment.blame=your code error.type=code
  12:01:00 deployment.queued
  12:02:00 deployment.begun
  12:08:00 deployment.waits
  12:09:00 deployment.replayed`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if spans[3].Parent.IsValid() {
		t.Error("the whole has a parent")
	}
	if got := traceParent(testSource, s.ID); got != "00-15a5c4030c3c43437c1e44e2f414d000-"+spans[3].ID.String()+"-01" {
		t.Error(got)
	}
	if TraceID("https://other.example.com", s.ID) == spans[3].Trace || TraceID(testSource, "shop.prod.1") == spans[3].Trace {
		t.Error("deployments share a trace")
	}
}

// TestLateNodes: what a node says of a stage that was told before is a span of its own below
// it, and what it says after the end one below the whole.
func TestLateNodes(t *testing.T) {
	s := goodStory()
	told := s.mark()
	stage, _ := s.parts()
	s.Events = append(s.Events,
		deploy.Event{Deployment: s.ID, Node: "z", Seq: 7, Time: stage[0].start.Add(time.Second), Type: deploy.EventNode, Text: "a clock that is behind"},
		deploy.Event{Deployment: s.ID, Node: "z", Seq: 9, Time: s.now.Add(time.Hour), Type: deploy.EventNode, Text: "it came back"})
	spans := s.Spans(testSource, told)
	if len(spans) != 2 || spans[0].Name != "node.changed" || spans[0].Parent != spanID(testSource, s.ID, "stage/all") ||
		spans[1].Parent != spanID(testSource, s.ID, "") || spans[1].Start != spans[1].End {
		t.Errorf("%+v", spans)
	}
	if all := s.Spans(testSource, s.mark()); len(all) != 0 {
		t.Errorf("all was told, and there is %+v", all)
	}
}

func TestResults(t *testing.T) {
	for _, test := range []struct {
		o            deploy.Outcome
		result, kind string
	}{
		{deploy.Outcome{Result: deploy.Succeeded, Blame: deploy.Nobody}, "success", ""},
		{deploy.Outcome{Result: deploy.Returned, Blame: deploy.YourCode}, "failure", "code"},
		{deploy.Outcome{Result: deploy.Returned, Blame: deploy.YourDependency}, "failure", "dependency"},
		{deploy.Outcome{Result: deploy.Returned, Blame: deploy.APerson}, "cancellation", ""},
		{deploy.Outcome{Result: deploy.Returned, Blame: deploy.AnAlarm}, "failure", "alarm"},
		{deploy.Outcome{Result: deploy.Returned, Blame: deploy.Nobody}, "failure", "_OTHER"},
		{deploy.Outcome{Result: deploy.Cancelled, Blame: deploy.APerson}, "cancellation", ""},
		{deploy.Outcome{Result: deploy.Superseded, Blame: deploy.Nobody}, "skip", ""},
	} {
		if result, kind := resultOf(&test.o); result != test.result || kind != test.kind {
			t.Errorf("%+v: %s, %s", test.o, result, kind)
		}
	}
}

// TestConventions: names are the ones of the semantic conventions.
func TestConventions(t *testing.T) {
	for ours, theirs := range map[string]attribute.Key{
		keyPipeline: semconv.CICDPipelineNameKey, keyAction: semconv.CICDPipelineActionNameKey, keyRun: semconv.CICDPipelineRunIDKey,
		keyResult: semconv.CICDPipelineResultKey, keyTask: semconv.CICDPipelineTaskNameKey, keyTaskRun: semconv.CICDPipelineTaskRunIDKey,
		keyTaskResult: semconv.CICDPipelineTaskRunResultKey, keyTaskType: semconv.CICDPipelineTaskTypeKey,
		keyEnvironment: semconv.DeploymentEnvironmentNameKey, keyDeployment: semconv.DeploymentIDKey, keyStatus: semconv.DeploymentStatusKey,
		keyError: semconv.ErrorTypeKey,
	} {
		if ours != string(theirs) {
			t.Errorf("%s is %s", ours, theirs)
		}
	}
	for ours, theirs := range map[string]attribute.KeyValue{
		resultSuccess: semconv.CICDPipelineResultSuccess, resultFailure: semconv.CICDPipelineResultFailure,
		resultCancellation: semconv.CICDPipelineResultCancellation, resultSkip: semconv.CICDPipelineResultSkip, runAction: semconv.CICDPipelineActionNameRun,
		"deploy": semconv.CICDPipelineTaskTypeDeploy, "succeeded": semconv.DeploymentStatusSucceeded, "failed": semconv.DeploymentStatusFailed,
	} {
		if ours != theirs.Value.AsString() {
			t.Errorf("%s is %s", ours, theirs.Value.AsString())
		}
	}
}

// TestSpansInPieces tells random deployments piece by piece, as exporters do that come and
// go, with nodes that are late and clocks that jump: each span is told once, each event is in
// one span, and no span ends before it begins.
func TestSpansInPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		whole := randomStory(r)
		told, spans, events := Mark{}, map[trace.SpanID]bool{}, map[string]int{}
		shown := Mark{}
		for done := false; !done; {
			done = true
			for writer, last := range whole.mark() { // each writer's events become known in order
				if r.IntN(2) == 0 {
					shown[writer] = min(last, shown[writer]+int64(r.IntN(8)))
				}
				done = done && shown[writer] == last
			}
			some := &Timeline{ID: whole.ID, Plan: whole.Plan, State: whole.State}
			for _, e := range whole.Events {
				if shown.Has(&e) {
					some.Events = append(some.Events, e)
				}
			}
			r.Shuffle(len(some.Events), func(i, j int) { some.Events[i], some.Events[j] = some.Events[j], some.Events[i] })
			piece := some.Spans(testSource, told)
			for _, s := range piece {
				if spans[s.ID] || s.End.Before(s.Start) {
					t.Fatalf("told twice, or it ends before it begins: %s", s.text())
				}
				spans[s.ID] = true
				for _, e := range s.Events {
					events[e.Attributes[0].Value.AsString()]++
				}
				for _, a := range s.Attributes {
					if a.Key == keyEvent {
						events[a.Value.AsString()]++
					}
				}
			}
			if len(piece) > 0 {
				told = some.mark()
			}
		}
		for _, e := range whole.Events {
			if events[e.ID()] != 1 {
				t.Fatalf("%s is in %d spans", e.ID(), events[e.ID()])
			}
		}
	}
}

// randomStory is a deployment with its end, and more that nodes say after it.
func randomStory(r *rand.Rand) *story {
	s := newStory("shop.prod.1")
	nodes := func() {
		for range r.IntN(4) {
			s.node(fmt.Sprintf("n%d", r.IntN(5)))
			s.Events[len(s.Events)-1].Time = s.now.Add(time.Duration(r.IntN(7200)-3600) * time.Second)
		}
	}
	o := deploy.Outcome{Result: deploy.Succeeded, Blame: deploy.Nobody}
	if r.IntN(10) == 0 {
		o = deploy.Outcome{Result: deploy.Cancelled, Blame: deploy.APerson}
	} else {
		s.tell(deploy.EventBegun, "")
		for i := range 1 + r.IntN(4) {
			s.begin(fmt.Sprintf("wave %d", i+1))
			s.now = s.now.Add(time.Duration(r.IntN(7200)-3600) * time.Second) // another controller's clock
			nodes()
			s.tell(deploy.EventWaits, "")
			if r.IntN(5) == 0 {
				o = worse
				break
			}
			s.pass()
		}
		if o.Result == deploy.Succeeded {
			s.tell(deploy.EventFinishes, "")
			nodes()
		}
		if o.Result == deploy.Returned || r.IntN(10) == 0 {
			o = worse
			s.returns(o)
			nodes()
		}
	}
	s.end(o)
	nodes()
	return s
}
