package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

// before is a store in which something happens once, just before a key is read another time.
type before struct {
	control.Store
	key string
	do  func() error

	mu    sync.Mutex
	reads int
}

func (b *before) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	if slices.ContainsFunc(txn.Then, func(o election.Op) bool { return o.Kind == election.Read && o.Keys == election.Key(b.key) }) {
		b.mu.Lock()
		b.reads++
		now := b.reads == 2
		b.mu.Unlock()
		if now {
			if err := b.do(); err != nil {
				return election.Result{}, err
			}
		}
	}
	return b.Store.Txn(ctx, txn)
}

// TestWatchToTheEnd: who watches a deployment is told of its end, also where that comes
// between a change and the look at what it has come to.
func TestWatchToTheEnd(t *testing.T) {
	var hook *before
	h := open(t, false, func(o *api.Options) {
		store, err := blob.Open(t.TempDir(), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Deployments = &api.Deployments{Objects: release.NewObjects(store), Events: store, Hub: api.NewHub()}
		hook = &before{Store: o.Store, key: "nothing"}
		o.Store = hook
	})
	service := deploy.Service{Store: h.store}
	id, err := service.Create(t.Context(), deploy.Plan{Program: "shop", Environment: "prod", Release: release.DigestOf(nil), Request: "1", Pipeline: deploy.DefaultPipeline()})
	if err != nil {
		t.Fatal(err)
	}
	state, err := json.Marshal(deploy.State{Phase: deploy.Ended, Seq: 2, Outcome: &deploy.Outcome{Result: deploy.Cancelled, Blame: deploy.APerson}})
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(deploy.Event{Deployment: id, Seq: 2, Time: time.Now(), Type: deploy.EventEnded})
	if err != nil {
		t.Fatal(err)
	}
	hook.key, hook.do = deploy.Prefix+"state/"+id, func() error {
		_, err := h.store.Txn(t.Context(), election.Txn{Then: []election.Op{
			election.Put(deploy.Prefix+"state/"+id, state, 0), election.Put(fmt.Sprintf("%s%s/%012d", deploy.EventPrefix, id, 2), event, 0),
		}})
		return err
	}
	stream, err := h.admin(t).Deploy.WatchDeployment(t.Context(), &v1.WatchDeploymentRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var told []deploy.EventType
	for stream.Receive() {
		for _, text := range stream.Msg().GetEvents() {
			var e deploy.Event
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(err)
			}
			told = append(told, e.Type)
		}
	}
	if err := stream.Err(); err != nil {
		t.Error(err)
	}
	if want := []deploy.EventType{deploy.EventQueued, deploy.EventEnded}; !slices.Equal(told, want) {
		t.Errorf("told of %v; expected %v", told, want)
	}
}
