// Many at once.

package storetest

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"towpath.dev/election"
)

// increments: no update is lost.
func increments(k *kit) {
	const writers, each = 8, 25
	k.do(put("n", "0"))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				for !increment(k) && !k.Failed() {
				}
			}
		})
	}
	wg.Wait()
	k.expect("at last", k.read(election.Span{Keys: election.Key("n")}).Entries, fmt.Sprintf("n=%d@%d", writers*each, writers*each+1))
}

// increment adds one unless somebody else wrote meanwhile.
func increment(k *kit) bool {
	page, err := k.store.Range(k.ctx, election.Span{Keys: election.Key("n")})
	if err != nil {
		k.Error(err)
		return false
	}
	n, err := strconv.Atoi(string(page.Entries[0].Value))
	if err != nil {
		k.Error(err)
		return false
	}
	r, err := k.store.Txn(k.ctx, election.Txn{
		If:   []election.Compare{election.ModifiedAt("n", page.Entries[0].Modified)},
		Then: []election.Op{put("n", strconv.Itoa(n+1))},
	})
	if err != nil {
		k.Error(err)
	}
	return r.OK
}

// oneCreates: of many who create a key, one does.
func oneCreates(k *kit) {
	for round := range 10 {
		key := fmt.Sprint("a/", round)
		var created atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r, err := k.store.Txn(k.ctx, election.Txn{
					If:   []election.Compare{election.Absent(key)},
					Then: []election.Op{put(key, fmt.Sprint(i))},
					Else: []election.Op{election.Get(election.Key(key))},
				})
				switch {
				case err != nil:
					k.Error(err)
				case r.OK:
					created.Add(1)
				case len(r.Outcomes[0].Entries) != 1:
					k.Errorf("%s is neither absent nor there: %+v", key, r)
				}
			})
		}
		wg.Wait()
		if n := created.Load(); n != 1 {
			k.Errorf("%d created %s", n, key)
		}
	}
}
