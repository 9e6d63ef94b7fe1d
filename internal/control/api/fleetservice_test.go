package api_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// TestForgetNode: a node that is attached stays known, with the time since when, and one
// that has gone is forgotten when somebody asks for it.
func TestForgetNode(t *testing.T) {
	h := open(t, true, deployments(t))
	pair := h.join(t, "n1", "prod")
	node := h.as(t, client.ControlOptions{Certificate: &pair})
	admin := h.admin(t)
	known := func() *v1.FleetNode {
		t.Helper()
		r, err := admin.Deploy.GetFleet(t.Context(), &v1.GetFleetRequest{Environment: "prod"})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.GetNodes()) == 0 {
			return nil
		}
		return r.GetNodes()[0]
	}
	forget := func(c *client.Control, environment, name string) error {
		_, err := c.Deploy.ForgetNode(t.Context(), &v1.ForgetNodeRequest{Environment: environment, Node: name})
		return err
	}
	ctx, leave := context.WithCancel(t.Context())
	welcomed, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- client.Attach(ctx, []*client.Control{node}, client.AttachOptions{
			Version: "tow 1", Cell: "main", Incarnation: "1", Attached: func(*v1.AttachResponse_Welcome) { close(welcomed) },
		})
	}()
	<-welcomed
	wantCode(t, "a node that has said nothing", forget(admin, "prod", "n1"), connect.CodeNotFound)
	report := func(s fleet.Status) error {
		_, err := node.Nodes.ReportStatus(t.Context(), &v1.ReportStatusRequest{Status: s.Encode()})
		return err
	}
	if err := report(fleet.Status{Cell: "main", Incarnation: "1", Number: 2}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a late report", report(fleet.Status{Cell: "other", Incarnation: "1", Number: 1}), connect.CodeAborted)
	wantCode(t, "a report of the process before", report(fleet.Status{Cell: "other", Incarnation: "0", Number: 9}), connect.CodeAborted)
	if n := known(); n == nil || !n.GetAttached() || n.GetSince() == "" {
		t.Errorf("an attached node is %v", n)
	}
	many := fleet.Status{Cell: "main", Incarnation: "1", Number: 3, Programs: map[string]fleet.Running{}}
	for i := range 100 {
		name := fmt.Sprint("program-", i)
		many.Programs[name] = fleet.Running{Main: release.DigestOf([]byte(name)), Previous: release.DigestOf([]byte("before " + name))}
	}
	if err := report(many); err != nil {
		t.Fatal(err)
	}
	if s, err := fleet.DecodeStatus("n1", known().GetStatus()); err != nil || !maps.EqualFunc(s.Programs, many.Programs, func(a, b fleet.Running) bool { return a.Main == b.Main && a.Previous == b.Previous }) {
		t.Errorf("of 100 programs are shown %v, %v", s, err)
	}
	wantCode(t, "an attached node", forget(admin, "prod", "n1"), connect.CodeFailedPrecondition)
	wantCode(t, "a node of another environment", forget(admin, "test", "n1"), connect.CodeNotFound)
	wantCode(t, "a name that is a path", forget(admin, "prod", "n1/x"), connect.CodeInvalidArgument)
	wantCode(t, "a reader", forget(h.principal(t, "ann", v1.Role_ROLE_READER, ""), "prod", "n1"), connect.CodePermissionDenied)
	wantCode(t, "who is bound to test", forget(h.principal(t, "bob", v1.Role_ROLE_ADMIN, "test"), "prod", "n1"), connect.CodePermissionDenied)

	leave()
	<-ended
	// Its stream's end is noted a moment after it has ended here.
	for batch := range h.store.Watch(t.Context(), election.Key(fleet.LeftKey("prod", "n1")), 1) {
		if batch.Err != nil {
			t.Fatal(batch.Err)
		}
		if n := len(batch.Events); n > 0 && !batch.Events[n-1].Removed {
			break
		}
	}
	n := known()
	if at, err := time.Parse(time.RFC3339, n.GetSince()); err != nil || n.GetAttached() || time.Since(at) > time.Hour {
		t.Errorf("a node that has gone is %v", n)
	}
	other := fleet.Status{Cell: "main"}
	put := func(key string, value []byte) {
		t.Helper()
		if _, err := h.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(key, value, 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	put(fleet.StatusKey("prod", "n2"), other.Encode())
	intent := fleet.Intent{Release: release.DigestOf(nil)}
	for _, cell := range []string{"main", "main-2"} {
		put(fleet.IntentKey("prod", cell, "shop"), intent.Encode())
	}
	intents := func() string {
		var all []string
		t.Helper()
		r, err := admin.Deploy.GetFleet(t.Context(), &v1.GetFleetRequest{Environment: "prod"})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range r.GetIntents() {
			all = append(all, i.GetCell())
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	if err := forget(admin, "prod", "n2"); err != nil || intents() != "main main-2" {
		t.Errorf("after one of two nodes of a cell there is %s (%v)", intents(), err)
	}
	if err := forget(admin, "prod", "n1"); err != nil || intents() != "main-2" {
		t.Errorf("after the last node of a cell there is %s (%v)", intents(), err)
	}
	put(fleet.StatusKey("prod", "n3"), (&fleet.Status{Cell: "main-2"}).Encode())
	if err := forget(admin, "prod", "n3"); err != nil {
		t.Error(err)
	}
	if n := known(); n != nil {
		t.Errorf("it is still known: %v", n)
	}
	if page, err := h.store.Range(t.Context(), election.Span{Keys: election.Prefix(fleet.Prefix)}); err != nil || page.Count != 1 || page.Entries[0].Key != fleet.JoinedKey("prod") {
		t.Errorf("it has left something: %v, %v", page, err)
	}
}

// joining is a store to which a node reports each time after somebody has looked who is the last of a cell.
type joining struct {
	control.Store
	mu    sync.Mutex
	nodes []string // one after the other
}

func (s *joining) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	r, err := s.Store.Txn(ctx, txn)
	looks := slices.ContainsFunc(txn.Then, func(op election.Op) bool {
		return op.Kind == election.Read && op.Keys == election.Key(fleet.JoinedKey("prod"))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if looks && err == nil && len(s.nodes) > 0 {
		cell, name, _ := strings.Cut(s.nodes[0], " ")
		s.nodes = s.nodes[1:]
		err = deploy.Report(ctx, s.Store, "prod", name, &fleet.Status{Cell: cell}, time.Now())
	}
	return r, err
}

// TestForgetWhileANodeJoins: with the last node of a cell goes what that was to run, and not where another
// node has come to it since somebody looked.
func TestForgetWhileANodeJoins(t *testing.T) {
	store := &joining{}
	h := open(t, true, func(o *api.Options) {
		deployments(t)(o)
		store.Store, o.Store = o.Store, store
	})
	admin := h.admin(t)
	forget := func(name string, join ...string) error {
		t.Helper()
		intent := fleet.Intent{Release: release.DigestOf(nil)}
		if _, err := h.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(fleet.IntentKey("prod", "a", "shop"), intent.Encode(), 0)}}); err != nil {
			t.Fatal(err)
		}
		if err := deploy.Report(t.Context(), h.store, "prod", name, &fleet.Status{Cell: "a"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		store.mu.Lock()
		store.nodes = join
		store.mu.Unlock()
		_, err := admin.Deploy.ForgetNode(t.Context(), &v1.ForgetNodeRequest{Environment: "prod", Node: name})
		return err
	}
	intents := func() int64 {
		t.Helper()
		page, err := h.store.Range(t.Context(), election.Span{Keys: election.Prefix(fleet.CellKeys("prod", "a"))})
		if err != nil {
			t.Fatal(err)
		}
		return page.Count
	}
	if err := forget("n1", "b m1", "b m2"); err != nil || intents() != 0 { // others come to another cell
		t.Errorf("the last node of a cell: %v; %d intents are left", err, intents())
	}
	if err := forget("n2", "b m3", "a n3"); err != nil || intents() != 1 {
		t.Errorf("as another one comes: %v; %d intents are left", err, intents())
	}
	if err := forget("n3"); err != nil || intents() != 0 {
		t.Errorf("and once it has gone: %v; %d intents are left", err, intents())
	}
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprint("b k", i))
	}
	if err := forget("n4", many...); intents() != 1 {
		t.Errorf("as nodes join all the time: %v; %d intents are left", err, intents())
	} else {
		wantCode(t, "as nodes join all the time", err, connect.CodeAborted)
	}
}

// TestRemoveProgram: a program is taken out of service by who may deploy to its environment, unless another
// one calls it that runs there.
func TestRemoveProgram(t *testing.T) {
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects := release.NewObjects(store)
	h := open(t, true, func(o *api.Options) {
		o.Deployments = &api.Deployments{Objects: objects, Events: store, Hub: api.NewHub()}
	})
	admin := h.admin(t)
	running := func(program string, calls map[string]release.Digest) release.Digest {
		t.Helper()
		r := release.Release{
			Format: release.Format, Program: program, Environment: "prod", ABI: 1, Toolchain: "tow 1", SourceHash: strings.Repeat("0", 64),
			Artifact: release.PartOf([]byte("a")), Binding: release.PartOf([]byte("b")), Calls: calls,
		}
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		d, err := objects.Put(t.Context(), release.KindRelease, data)
		if err != nil {
			t.Fatal(err)
		}
		i := fleet.Intent{Deployment: program + ".prod.1", Seq: 1, Release: d}
		if _, err := h.store.Txn(t.Context(), election.Txn{Then: []election.Op{
			election.Put("fleet/head/prod/"+program, []byte(`{"last":1,"current":"`+string(d)+`"}`), 0),
			election.Put(fleet.IntentKey("prod", "main", program), i.Encode(), 0),
		}}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	shop := running("shop", nil)
	front := running("front", map[string]release.Digest{"shop": shop})
	remove := func(c *client.Control, program string, current release.Digest) error {
		_, err := c.Deploy.RemoveProgram(t.Context(), &v1.RemoveProgramRequest{Environment: "prod", Program: program, Current: string(current)})
		return err
	}
	wantCode(t, "a reader", remove(h.principal(t, "ann", v1.Role_ROLE_READER, ""), "front", front), connect.CodePermissionDenied)
	wantCode(t, "who is bound to test", remove(h.principal(t, "bob", v1.Role_ROLE_ADMIN, "test"), "front", front), connect.CodePermissionDenied)
	wantCode(t, "a name that is a path", remove(admin, "front/x", front), connect.CodeInvalidArgument)
	wantCode(t, "another release runs", remove(admin, "front", shop), connect.CodeFailedPrecondition)
	err = remove(admin, "shop", shop)
	if wantCode(t, "one that is called", err, connect.CodeFailedPrecondition); !strings.Contains(err.Error(), "front calls shop in prod: deploy it without that first, or remove it") {
		t.Errorf("it says %v", err)
	}
	for _, c := range []struct {
		program string
		current release.Digest
	}{{"front", front}, {"shop", shop}} {
		if err := remove(admin, c.program, c.current); err != nil {
			t.Error(err)
		}
	}
	if r, err := admin.Deploy.GetFleet(t.Context(), &v1.GetFleetRequest{Environment: "prod"}); err != nil || len(r.GetIntents()) > 0 {
		t.Errorf("cells are still to run %v (%v)", r.GetIntents(), err)
	}
}
