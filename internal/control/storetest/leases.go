package storetest

import (
	"time"

	"towpath.dev/election"
)

func leases(k *kit) {
	id, ttl, err := k.store.Grant(k.ctx, 59500*time.Millisecond)
	if err != nil || id == 0 || ttl != time.Minute {
		k.Fatalf("a lease: found %v for %v, %v", id, ttl, err)
	}
	if other := k.grant(time.Minute); other == id {
		k.Fatalf("two leases are called %v", id)
	}
	start := k.do(election.Put("b", []byte("1"), id), election.Put("a", []byte("1"), id), put("c", "1"))
	if e := k.read(election.Span{Keys: election.Key("a")}).Entries; e[0].Lease != id {
		k.Errorf("found %+v", e)
	}
	if ttl, err := k.store.Renew(k.ctx, id); ttl != time.Minute || err != nil {
		k.Errorf("renewed: found %v, %v", ttl, err)
	}
	if r := k.revision(); r != start {
		k.Errorf("granting and renewing took revisions: %d after %d", r, start)
	}
	k.revoke(id)
	k.expect("after revoking", k.read(election.Span{Keys: everything}).Entries, "c=1")
	if r := k.revision(); r != start+1 {
		k.Errorf("revoking took revisions: %d after %d", r, start)
	}
	batches := k.watched(everything, start+1, start+1)
	if got := showEvents(eventsOf(batches)); got != "-a -b" {
		k.Errorf("revoking: found the events %q", got)
	}
	k.revoke(id) // is no error
	_, err = k.store.Renew(k.ctx, id)
	k.fails("renewing a lease that was revoked", err, election.ErrNoLease)
	_, err = k.store.Txn(k.ctx, election.Txn{Then: []election.Op{election.Put("a", nil, id)}})
	k.fails("writing with it", err, election.ErrNoLease)
	if r := k.revision(); r != start+1 {
		k.Errorf("what was refused took revisions: %d after %d", r, start)
	}
}

// leaseEnds waits in real time for as long as it takes.
func leaseEnds(k *kit) {
	id := k.grant(time.Second)
	kept := k.grant(time.Minute)
	start := k.do(election.Put("a", nil, id), election.Put("b", nil, id), election.Put("c", nil, kept))
	batches := k.watched(everything, start+1, start+1)
	if got := showEvents(eventsOf(batches)); got != "-a -b" {
		k.Errorf("found the events %q", got)
	}
	_, err := k.store.Renew(k.ctx, id)
	k.fails("renewing a lease that has ended", err, election.ErrNoLease)
	k.revoke(id)
	k.expect("after it", k.read(election.Span{Keys: everything}).Entries, "c=")
}

func keysMove(k *kit) {
	one, two := k.grant(time.Minute), k.grant(time.Minute)
	k.do(election.Put("a", nil, one), election.Put("b", nil, one), election.Put("c", nil, one), election.Put("d", nil, one))
	k.do(election.Put("a", nil, two), put("b", ""), remove("c"))
	k.do(put("c", ""))
	k.revoke(one)
	k.expect("after the first lease", k.read(election.Span{Keys: everything}).Entries, "a=@2 b=@2 c=")
	k.revoke(two)
	k.expect("after the second lease", k.read(election.Span{Keys: everything}).Entries, "b=@2 c=")
	r := k.revision()
	k.revoke(k.grant(time.Minute))
	if now := k.revision(); now != r {
		k.Errorf("revoking a lease without keys took revisions: %d after %d", now, r)
	}
}
