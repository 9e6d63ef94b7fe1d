package telemetry

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

func TestCloudEvents(t *testing.T) {
	s := badStory()
	var all []CloudEvent
	for _, e := range s.after(nil) {
		all = append(all, s.CloudEvents(testSource, e)...)
	}
	var got []string
	for _, c := range all {
		got = append(got, c.ID+" "+c.Type+" "+c.Subject)
	}
	want := []string{
		"shop.prod.17/1 dev.cdevents.pipelinerun.queued.0.2.0 shop.prod.17",
		"shop.prod.17/2 dev.cdevents.pipelinerun.started.0.2.0 shop.prod.17",
		"shop.prod.17/3 dev.cdevents.taskrun.started.0.2.0 shop.prod.17/onebox",
		"shop.prod.17/4 dev.towpath.deployment.stage.probed shop.prod.17",
		"shop.prod.17/5 dev.towpath.deployment.stage.reaches shop.prod.17",
		"shop.prod.17/a/3 dev.towpath.deployment.node.changed shop.prod.17/a",
		"shop.prod.17/6 dev.towpath.deployment.stage.bakes shop.prod.17",
		"shop.prod.17/7 dev.cdevents.taskrun.finished.0.2.0 shop.prod.17/onebox",
		"shop.prod.17/8 dev.towpath.deployment.waits shop.prod.17",
		"shop.prod.17/9 dev.towpath.deployment.replayed shop.prod.17",
		"shop.prod.17/10 dev.cdevents.taskrun.started.0.2.0 shop.prod.17/wave 1",
		"shop.prod.17/b/3 dev.towpath.deployment.node.changed shop.prod.17/b",
		"shop.prod.17/a/6 dev.towpath.deployment.node.changed shop.prod.17/a",
		"shop.prod.17/11 dev.towpath.deployment.returns shop.prod.17",
		"shop.prod.17/11/stage dev.cdevents.taskrun.finished.0.2.0 shop.prod.17/wave 1",
		"shop.prod.17/b/6 dev.towpath.deployment.node.changed shop.prod.17/b",
		"shop.prod.17/12 dev.cdevents.pipelinerun.finished.0.2.0 shop.prod.17",
		"shop.prod.17/12/service dev.cdevents.service.rolledback.0.2.0 shop",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, c := range map[string]CloudEvent{"finished": all[len(all)-2], "rolledback": all[len(all)-1], "returns": all[13], "node": all[5]} {
		var text bytes.Buffer
		if err := json.Indent(&text, c.JSON(), "", "  "); err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/"+name+".json", text.Bytes())
	}
}

// golden compares with a file; with UPDATE=1 in the environment it writes that.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	got = append(got, '\n')
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v; got:\n%s", name, err, got)
	}
}

// TestServices: what the end of a deployment was for the service.
func TestServices(t *testing.T) {
	for _, test := range []struct {
		result deploy.Result
		from   bool
		same   bool
		want   string
	}{
		{deploy.Succeeded, false, false, "service.deployed"},
		{deploy.Succeeded, true, false, "service.upgraded"},
		{deploy.Succeeded, true, true, ""},
		{deploy.Returned, true, false, "service.rolledback"},
		{deploy.Returned, false, false, "service.removed"},
		{deploy.Cancelled, false, false, ""},
		{deploy.Superseded, false, false, ""},
	} {
		s := newStory("shop.prod.1")
		if test.from {
			s.tell(deploy.EventBegun, "")
		}
		if test.same {
			s.State.From = v2
		}
		s.end(deploy.Outcome{Result: test.result, Blame: deploy.Nobody})
		all := s.CloudEvents(testSource, &s.Events[len(s.Events)-1])
		got := ""
		if len(all) > 1 {
			got = strings.TrimSuffix(strings.TrimPrefix(all[1].Type, cdPrefix), cdSuffix)
		}
		if got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// TestServiceUndone: what takes back what has succeeded rolls the service back, or takes it away where nothing ran.
func TestServiceUndone(t *testing.T) {
	for to, want := range map[release.Digest]string{v2: rolledBack, "": removed} {
		s := newStory("shop.prod.2")
		s.Plan.Undoes, s.Plan.Release, s.State.From = "shop.prod.1", to, to
		s.end(deploy.Outcome{Result: deploy.Succeeded, Blame: deploy.APerson})
		all := s.CloudEvents(testSource, &s.Events[len(s.Events)-1])
		if len(all) != 2 || all[1].Type != cdPrefix+want+cdSuffix {
			t.Errorf("to %q: %+v; expected %s", to, all, want)
		}
	}
}

// TestEventsAreTheSameWhenever: what an event is told as does not depend on how much has
// happened since, by which consumers may drop what they have.
func TestEventsAreTheSameWhenever(t *testing.T) {
	for _, build := range []func() *story{badStory, goodStory} {
		whole := build()
		early := &Timeline{ID: whole.ID, Plan: whole.Plan}
		ids := map[string]bool{}
		for i := range whole.Events {
			early.Events = append(early.Events, whole.Events[i])
			early.State = &deploy.State{} // with what that event and those before say
			for _, e := range early.Events {
				switch e.Type {
				case deploy.EventBegun:
					early.State.From = whole.State.From
				case deploy.EventReturns:
					early.State.Cause = whole.State.Cause
				case deploy.EventEnded:
					early.State.Outcome = whole.State.Outcome
				}
			}
			then, now := early.CloudEvents(testSource, &early.Events[i]), whole.CloudEvents(testSource, &whole.Events[i])
			if len(then) != len(now) {
				t.Fatalf("%s: %d events, and %d later", whole.Events[i].ID(), len(then), len(now))
			}
			for j := range then {
				if a, b := then[j].JSON(), now[j].JSON(); !bytes.Equal(a, b) {
					t.Errorf("told at once:\n%s\ntold later:\n%s", a, b)
				}
				if ids[now[j].ID] {
					t.Errorf("%s is the id of two", now[j].ID)
				}
				ids[now[j].ID] = true
			}
		}
	}
}

// TestPlanIsGone: events are told of a deployment of which nothing else is known.
func TestPlanIsGone(t *testing.T) {
	s := badStory()
	s.Plan, s.State = nil, nil
	for _, e := range s.after(nil) {
		for _, c := range s.CloudEvents(testSource, e) {
			c.JSON()
		}
	}
	if spans := s.Spans(testSource, nil); len(spans) != 4 {
		t.Errorf("%d spans", len(spans))
	}
}

// TestPageNamesEvents: docs/telemetry.md says of each type of events as what it is told.
func TestPageNamesEvents(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("../state.go")
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`\bEvent\w+ +EventType = "([^"]+)"`).FindAllSubmatch(code, -1)
	if len(types) < 10 {
		t.Fatalf("%d types of events in state.go", len(types))
	}
	for _, kind := range types {
		s := badStory()
		s.Events = s.Events[:len(s.Events)-1] // the last one is of the type
		e := deploy.Event{Deployment: s.ID, Seq: s.State.Seq, Type: deploy.EventType(kind[1]), Time: s.now, Stage: "wave 1"}
		if strings.HasPrefix(string(kind[1]), "deployment.") {
			e.Stage = ""
		}
		s.Events = append(s.Events, e)
		row := "| `" + string(kind[1]) + "` | "
		at := bytes.Index(page, []byte(row))
		if at < 0 {
			t.Errorf("docs/telemetry.md has no row of %s", kind[1])
			continue
		}
		line, _, _ := bytes.Cut(page[at:], []byte("\n"))
		for _, c := range s.CloudEvents(testSource, &e) {
			if name := "`" + strings.TrimSuffix(strings.TrimPrefix(c.Type, cdPrefix), cdSuffix) + "`"; !bytes.Contains(line, []byte(name)) {
				t.Errorf("%s is told as %s, and the page says: %s", kind[1], name, line)
			}
		}
	}
}
