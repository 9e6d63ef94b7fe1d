package deploy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
)

// TestHeld: of a store that was restored nodes hear that, and what they shall run when a
// person has let it go on.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		ctx, cancel := context.WithCancel(t.Context())
		key, value := election.RestoredKey("", 2, "claim")
		put := func(ops ...election.Op) {
			if _, err := store.Txn(ctx, election.Txn{Then: ops}); err != nil {
				t.Fatal(err)
			}
		}
		i := &fleet.Intent{Deployment: "shop.prod.1", Seq: 1, Release: digest("one")}
		put(election.Put(key, value, 0), election.Put(fleet.IntentKey("prod", "c", "shop"), i.Encode(), 0))
		heard := make(chan fleet.Heard, 10)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			FollowIntents(ctx, store, "prod", "c", func(h fleet.Heard) { heard <- h })
		}()
		if h := <-heard; !h.Held || len(h.Intents) > 0 {
			t.Errorf("it heard %+v first", h)
		}
		time.Sleep(time.Hour)
		if len(heard) > 0 {
			t.Errorf("it heard %+v before anybody let it", <-heard)
		}
		put(election.Delete(election.Key(key)))
		if h := <-heard; h.Held || h.Intents["shop"] == nil || h.Intents["shop"].Release != digest("one") {
			t.Errorf("it heard %+v then", h)
		}
		cancel()
		<-ended
	})
}

// TestNumbersAfterARestore: a number is not given again that a deployment had which the
// restored store does not know.
func TestNumbersAfterARestore(t *testing.T) {
	objects, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1, 2} {
		if err := objects.Create(t.Context(), eventsPrefix("prod", "shop", n)+"00000000000000000007", []byte("{}\n"), blob.Standard); err != nil {
			t.Fatal(err)
		}
	}
	store := memstore.New()
	defer store.Close()
	service := &Service{Store: store, Objects: objects}
	id, err := service.Create(t.Context(), Plan{Program: "shop", Environment: "prod", Release: digest("one"), Request: "r", Pipeline: simPipeline()})
	if err != nil || id != "shop.prod.3" {
		t.Errorf("%s, %v; expected shop.prod.3", id, err)
	}
}
