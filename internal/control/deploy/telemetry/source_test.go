package telemetry

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/memstore"
)

// TestFromTheStore: a deployment that is asked for at a cluster's store is with a receiver, and
// what was told is not told again by the exporter that comes next.
func TestFromTheStore(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	objects, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	service := &deploy.Service{Store: store}
	ask := func(request string) string {
		id, err := service.Create(t.Context(), deploy.Plan{Program: "shop", Environment: "prod", Release: v2, Request: request, By: "ada", Pipeline: deploy.DefaultPipeline()})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := ask("before")
	r := newReceiver(t, busy)
	saved := make(chan string, 100)
	told := func(id string) {
		t.Helper()
		if got := <-saved; got != "cloudevents/mark/"+id {
			t.Errorf("%s was saved; %s was asked for", got, id)
		}
	}
	export := func() func() {
		x, err := New(Options{
			Source: &Deployments{Service: service, Objects: objects}, Cursors: tapped{&StoreCursors{Store: store}, saved},
			Sinks: []Sink{&HTTP{URL: r.URL, Source: testSource}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return run(t.Context(), x)
	}
	stop := export()
	told(before)
	after := ask("after")
	told(after)
	stop()
	stop = export()
	last := ask("last")
	told(last)
	stop()
	var ids []string
	for _, body := range r.bodies {
		var c CloudEvent
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	if want := []string{before + "/1", after + "/1", last + "/1"}; !slices.Equal(ids, want) {
		t.Errorf("%q came; want %q", ids, want)
	}
	page, err := store.Range(t.Context(), election.Span{Keys: election.Prefix(cursorPrefix)})
	if err != nil || len(page.Entries) != 3 {
		t.Errorf("cursors: %v, %v", page.Entries, err)
	}
	cursors := &StoreCursors{Store: store}
	if err := cursors.Save(t.Context(), "x", []byte("1")); err != nil {
		t.Error(err)
	}
	if err := cursors.Save(t.Context(), "x", nil); err != nil {
		t.Error(err)
	}
	if text, err := cursors.Load(t.Context(), "x"); text != nil || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}

// tapped are cursors that say what was saved.
type tapped struct {
	Cursors
	saved chan string
}

func (c tapped) Save(ctx context.Context, name string, value []byte) error {
	err := c.Cursors.Save(ctx, name, value)
	if err == nil {
		c.saved <- name
	}
	return err
}

// TestEventsMoveWhileRead: an event that moves to object storage between the two parts of a
// reading is not passed over by the one after it.
func TestEventsMoveWhileRead(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	folder, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const id = "shop.prod.1"
	put := func(e deploy.Event) {
		text, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		key := deploy.NodeEventKey(id, "a", e.Seq)
		if _, err := store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(key, text, 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	event := func(seq int64) deploy.Event {
		return deploy.Event{Deployment: id, Node: "a", Seq: seq, Time: began.Add(time.Duration(seq)), Type: deploy.EventNode}
	}
	put(event(1))
	// While the first reading lists objects, 2 and 3 are written, and only 3 is listed yet.
	objects := &listing{Store: folder, first: func() {
		put(event(2))
		text, err := json.Marshal(event(3))
		if err != nil {
			t.Fatal(err)
		}
		if err := folder.Create(t.Context(), "deployments/prod/shop/1/00000000000000000009", append(text, '\n'), blob.Standard); err != nil {
			t.Fatal(err)
		}
	}}
	source := &Deployments{Service: &deploy.Service{Store: store}, Objects: objects}
	line, err := source.Read(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, e := range line.Events {
		got = append(got, e.Seq)
	}
	if want := []int64{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("%v was read; want %v", got, want)
	}
	if line.Plan != nil {
		t.Error("a plan that nobody wrote")
	}
}

// listing is a store of objects that has something happen before its first listing.
type listing struct {
	blob.Store
	once  sync.Once
	first func()
}

func (l *listing) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	l.once.Do(l.first)
	return l.Store.List(ctx, prefix, after)
}
