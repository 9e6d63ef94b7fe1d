package storetest

import (
	"context"
	"fmt"

	"towpath.dev/election"
)

func watchOrder(k *kit) {
	start := k.do(put("a", "1"), put("b", "1"))
	watch := k.store.Watch(k.ctx, everything, start)
	k.do(put("b", "2"), remove("a"), put("c", "1"))
	k.do(put("a", "2"))
	end := k.do(election.Delete(election.Prefix("b")), put("a", "3"))
	batches := k.until(watch, end)
	k.whole(batches)
	const want = "+a=1 +b=1 +b=2@2 -a +c=1 +a=2 -b +a=3@2"
	if got := showEvents(eventsOf(batches)); got != want {
		k.Errorf("found %q, expected %q", got, want)
	}
	for i, e := range eventsOf(batches) {
		if at := start + []int64{0, 0, 1, 1, 1, 2, 3, 3}[i]; e.Entry.Modified != at || e.Removed && (e.Entry.Value != nil || e.Entry.Created != 0 || e.Entry.Version != 0 || e.Entry.Lease != 0) {
			k.Errorf("at %d found %+v", at, e)
		}
	}
	again := k.watched(everything, start+1, end)
	k.whole(again)
	if got := showEvents(eventsOf(again)); got != want[len("+a=1 +b=1 "):] {
		k.Errorf("from the second on found %q", got)
	}
}

func watchKeys(k *kit) {
	start := k.do(put("a", ""), put("a/1", ""), put("b", ""))
	end := k.do(put("a/2", ""), put("c", ""), remove("a"), put("z", ""))
	for _, c := range []struct {
		keys election.Keys
		want string
	}{
		{everything, "+a= +a/1= +b= +a/2= +c= -a +z="},
		{election.Key("a"), "+a= -a"},
		{election.Prefix("a"), "+a= +a/1= +a/2= -a"},
		{election.Prefix("a/"), "+a/1= +a/2="},
		{election.Keys{First: "a/2", End: "c"}, "+b= +a/2="},
		{election.Keys{First: "b", End: "\x00"}, "+b= +c= +z="},
	} {
		batches := k.watched(c.keys, start, end)
		k.whole(batches)
		if got := showEvents(eventsOf(batches)); got != c.want {
			k.Errorf("of %q found %q, expected %q", c.keys, got, c.want)
		}
	}
}

// watchFromNow cannot know when now is, so it writes until it is heard.
func watchFromNow(k *kit) {
	before := k.do(put("before", ""))
	watch := k.store.Watch(k.ctx, everything, 0)
	for i := 0; ; i++ {
		k.do(put(fmt.Sprint("a/", i), ""))
		select {
		case b := <-watch:
			if b.Err != nil || len(b.Events) == 0 || b.Events[0].Entry.Modified <= before {
				k.Fatalf("found %+v", b)
			}
			k.whole([]election.Batch{b})
			end := k.do(put("end", ""))
			events := append(b.Events, eventsOf(k.until(watch, end))...)
			for i, e := range events {
				if e.Entry.Modified != events[0].Entry.Modified+int64(i) {
					k.Errorf("after %d came %+v", events[0].Entry.Modified, e)
				}
			}
			return
		default:
		}
	}
}

func watchFromLater(k *kit) {
	now := k.do(put("a", "0"))
	watch := k.store.Watch(k.ctx, election.Key("a"), now+3)
	for i := range 4 {
		k.do(put("a", fmt.Sprint(i+1)))
	}
	if got := showEvents(eventsOf(k.until(watch, now+4))); got != "+a=3@4 +a=4@5" {
		k.Errorf("found %q", got)
	}
}

func watchCompacted(k *kit) {
	start := k.do(put("a", "1"))
	k.do(put("a", "2"))
	k.do(put("a", "3"))
	if err := k.store.Compact(k.ctx, start+1); err != nil {
		k.Fatal(err)
	}
	b := k.end(k.store.Watch(k.ctx, everything, start))
	k.compacted("watching what is gone", b.Err)
	if got := showEvents(eventsOf(k.watched(everything, start+1, start+2))); got != "+a=2@2 +a=3@3" {
		k.Errorf("from the oldest on found %q", got)
	}
	// A watch that has seen all there is does not mind compaction.
	watch := k.store.Watch(k.ctx, everything, start+2)
	k.until(watch, start+2)
	for i := range 3 {
		if err := k.store.Compact(k.ctx, k.do(put("a", "4"))); err != nil {
			k.Fatal(err)
		}
		k.until(watch, start+3+int64(i))
	}
}

func watchCancelled(k *kit) {
	start := k.do(put("a", "1"))
	for _, from := range []int64{0, start, start + 1} {
		ctx, cancel := context.WithCancel(k.ctx)
		watch := k.store.Watch(ctx, everything, from)
		cancel()
		k.fails(fmt.Sprint("a watch from ", from, " that was cancelled"), k.end(watch).Err, context.Canceled)
	}
}

// watchSlow: writers do not wait for a watch, which gets everything when it wants it.
func watchSlow(k *kit) {
	start := k.do(put("a", ""))
	watch := k.store.Watch(k.ctx, everything, start)
	const n = 500
	var end int64
	for range n {
		end = k.do(put("a", ""), put("b", ""))
	}
	batches := k.until(watch, end)
	k.whole(batches)
	if got := len(eventsOf(batches)); got != 2*n+1 {
		k.Errorf("found %d events, expected %d", got, 2*n+1)
	}
}

func cancelled(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	start := k.revision()
	_, err := k.store.Txn(ctx, election.Txn{Then: []election.Op{put("a", "")}})
	k.fails("a transaction", err, context.Canceled)
	_, err = k.store.Range(ctx, election.Span{Keys: everything})
	k.fails("a read", err, context.Canceled)
	_, _, err = k.store.Grant(ctx, patience)
	k.fails("a lease", err, context.Canceled)
	k.fails("compaction", k.store.Compact(ctx, start), context.Canceled)
	_, err = k.store.Status(ctx)
	k.fails("the status", err, context.Canceled)
	if r := k.revision(); r != start {
		k.Errorf("what was cancelled took revisions: %d after %d", r, start)
	}
}
