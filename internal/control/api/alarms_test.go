package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

// withObjects serves deployments, with objects in a folder.
func withObjects(t *testing.T, objects **release.Objects) func(*api.Options) {
	t.Helper()
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := release.NewObjects(store)
	if objects != nil {
		*objects = all
	}
	return func(o *api.Options) {
		o.Deployments = &api.Deployments{Objects: all, Events: store, Hub: api.NewHub()}
	}
}

// begun makes a deployment and its state.
func (h *house) begun(t *testing.T, program, environment string, state deploy.State) string {
	t.Helper()
	service := deploy.Service{Store: h.store}
	id, err := service.Create(t.Context(), deploy.Plan{Program: program, Environment: environment, Release: release.DigestOf(nil), Request: "1", Pipeline: deploy.DefaultPipeline()})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(deploy.Prefix+"state/"+id, text, 0)}}); err != nil {
		t.Fatal(err)
	}
	return id
}

// asked is what a deployment was asked to go back for; nil is nothing.
func (h *house) asked(t *testing.T, id string) *deploy.Ask {
	t.Helper()
	page, err := h.store.Range(t.Context(), election.Span{Keys: election.Key(deploy.Prefix + "ask/" + id + "/" + string(deploy.AskBack))})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) == 0 {
		return nil
	}
	a := &deploy.Ask{}
	if err := json.Unmarshal(page.Entries[0].Value, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// do sends a request that is none of a service's.
func do(t *testing.T, c *client.Control, method, path, body string) (status int, text string) {
	t.Helper()
	r, err := c.Do(t.Context(), method, path, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	said, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(said)
}

func alertsOf(all ...string) string {
	return `{"version":"4","status":"firing","alerts":[` + strings.Join(all, ",") + `]}`
}

func alert(program, environment, status, startsAt string) string {
	return fmt.Sprintf(`{"status":%q,"labels":{"alertname":"TooSlow","towpath_program":%q,"towpath_environment":%q},"annotations":{"summary":"p99 is 3 s"}%s}`,
		status, program, environment, startsAt)
}

func at(t time.Time) string { return fmt.Sprintf(`,"startsAt":%q`, t.Format(time.RFC3339Nano)) }

// TestAlarms: an alarm takes back what had begun when it did, and nothing else; what cannot be
// done of a group does not keep the rest from being done.
func TestAlarms(t *testing.T) {
	h := open(t, false, withObjects(t, nil))
	begun := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	before, after := at(begun.Add(-time.Minute)), at(begun.Add(time.Minute))
	running := deploy.State{Phase: deploy.Running, Step: deploy.Baking, Begun: begun}
	post := func(c *client.Control, alerts ...string) (int, string) {
		t.Helper()
		return do(t, c, http.MethodPost, api.AlarmsPath, alertsOf(alerts...))
	}
	deployer := h.principal(t, "alertmanager", v1.Role_ROLE_DEPLOYER, "prod")

	fix := h.begun(t, "shop", "prod", running)
	if status, said := post(deployer, alert("shop", "prod", "firing", before)); status != http.StatusOK || h.asked(t, fix) != nil {
		t.Errorf("an alarm from before: %d %s; asked: %v", status, said, h.asked(t, fix))
	} else if !strings.Contains(said, fix+" had not begun when the alarm did, at 2026-11-28T11:59:00Z, and goes on") {
		t.Errorf("it says %q", said)
	}
	if status, said := post(deployer, alert("shop", "prod", "resolved", after)); status != http.StatusOK || h.asked(t, fix) != nil {
		t.Errorf("an alarm that is over: %d %s; asked: %v", status, said, h.asked(t, fix))
	}
	queued := h.begun(t, "fees", "prod", deploy.State{Phase: deploy.Queued})
	if status, said := post(deployer, alert("fees", "prod", "firing", after)); status != http.StatusOK || h.asked(t, queued) != nil {
		t.Errorf("one that has not begun: %d %s; asked: %v", status, said, h.asked(t, queued))
	}

	elsewhere := h.begun(t, "shop", "test", running)
	old := alert("shop", "prod", "firing", before)
	status, said := post(deployer, alert("shop", "test", "firing", after), alert("other", "prod", "firing", ""), old, alert("shop", "prod", "firing", after), old)
	if status != http.StatusForbidden || h.asked(t, elsewhere) != nil {
		t.Errorf("an alarm of another environment: %d %s; asked: %v", status, said, h.asked(t, elsewhere))
	}
	if a := h.asked(t, fix); a == nil || a.Alarm != "TooSlow" || a.Why != "p99 is 3 s" || a.By != "alertmanager" {
		t.Errorf("the others of its group: asked: %+v; said %s", a, said)
	}
	if events, err := h.audit.Newest(1, func(e *access.Event) bool { return e.Principal == "alertmanager" }); err != nil || len(events) != 1 || events[0].Outcome != connect.CodePermissionDenied.String() {
		t.Errorf("the audit log has %v, %v", events, err)
	}
	for _, want := range []string{"expected startsAt", `this is of "test"`, fix + " goes back"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %q; expected %q", said, want)
		}
	}
	if status, said := post(deployer, alert("shop", "prod", "firing", "")); status != http.StatusBadRequest {
		t.Errorf("an alarm without a beginning: %d %s", status, said)
	}
	if status, said := post(deployer, alert("nothing", "prod", "firing", after)); status != http.StatusOK || said != "nothing in prod: no deployment is under way\n" {
		t.Errorf("a program that is not deployed: %d %q", status, said)
	}
}
