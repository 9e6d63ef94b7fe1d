// Keys: what reads and transactions do.

package storetest

import (
	"bytes"
	"fmt"
	"strings"

	"towpath.dev/election"
)

func revisions(k *kit) {
	start := k.revision()
	if r := k.do(put("a", "1"), put("b", "1")); r != start+1 {
		k.Errorf("a transaction of two writes is at %d, after %d", r, start)
	}
	for what, op := range map[string]election.Op{"a read": election.Get(everything), "a delete that finds nothing": remove("none")} {
		if r := k.do(op); r != start+1 {
			k.Errorf("%s is at %d, after %d", what, r, start+1)
		}
	}
	k.do(put("a", "2"))
	k.do(remove("b"))
	k.do(put("b", "3"))
	want := []election.Entry{
		{Key: "a", Value: []byte("2"), Created: start + 1, Modified: start + 2, Version: 2},
		{Key: "b", Value: []byte("3"), Created: start + 4, Modified: start + 4, Version: 1},
	}
	page := k.read(election.Span{Keys: everything})
	if got := fmt.Sprint(page.Entries); got != fmt.Sprint(want) || page.Revision != start+4 || page.Count != 2 || page.More {
		k.Errorf("found %+v", page)
	}
	for i, want := range []string{"", "a=1 b=1", "a=2@2 b=1", "a=2@2", "a=2@2 b=3"} {
		at := start + int64(i)
		page := k.read(election.Span{Keys: everything, Revision: at})
		k.expect(fmt.Sprint("as of ", i), page.Entries, want)
		if page.Revision != start+4 {
			k.Errorf("read at %d, it says that the store is at %d", at, page.Revision)
		}
	}
	_, err := k.store.Range(k.ctx, election.Span{Keys: everything, Revision: start + 5})
	k.fails("reading what is yet to come", err, election.ErrFuture)
}

func conditions(k *kit) {
	lease := k.grant(patience)
	defer k.revoke(lease)
	created := k.do(put("a", "m"))
	modified := k.do(election.Put("a", []byte("m"), lease))
	k.do(put("removed", ""))
	k.do(remove("removed"))
	type relations [4]bool // equal, not equal, less, greater
	equal, less, greater, never := relations{true, false, false, false}, relations{false, true, true, false}, relations{false, true, false, true}, relations{}
	for _, c := range []struct {
		key    string
		field  election.Field
		number int64
		value  string
		want   relations
	}{
		{"a", election.Created, created, "", equal},
		{"a", election.Created, modified, "", less},
		{"a", election.Modified, modified, "", equal},
		{"a", election.Modified, created, "", greater},
		{"a", election.Version, 2, "", equal},
		{"a", election.Version, 3, "", less},
		{"a", election.Lease, int64(lease), "", equal},
		{"a", election.Lease, 0, "", greater},
		{"a", election.Value, 0, "m", equal},
		{"a", election.Value, 0, "n", less},
		{"a", election.Value, 0, "", greater},
		{"none", election.Created, 0, "", equal},
		{"none", election.Modified, 0, "", equal},
		{"none", election.Version, 0, "", equal},
		{"none", election.Lease, 0, "", equal},
		{"none", election.Created, 1, "", less},
		{"none", election.Value, 0, "", never},
		{"removed", election.Created, 0, "", equal},
		{"removed", election.Modified, 0, "", equal},
		{"removed", election.Version, 0, "", equal},
		{"removed", election.Value, 0, "", never},
	} {
		for relation, want := range c.want {
			condition := election.Compare{Key: c.key, Field: c.field, Relation: election.Relation(relation), Number: c.number, Value: []byte(c.value)}
			if r := k.txn(election.Txn{If: []election.Compare{condition}}); r.OK != want {
				k.Errorf("%+v holds: %v", condition, r.OK)
			}
		}
	}
	for _, c := range []struct {
		condition election.Compare
		want      bool
	}{
		{election.Present("a"), true}, {election.Absent("a"), false}, {election.ModifiedAt("a", modified), true},
		{election.Present("none"), false}, {election.Absent("none"), true}, {election.ModifiedAt("a", created), false},
	} {
		r := k.txn(election.Txn{If: []election.Compare{election.Present("a"), c.condition}})
		if r.OK != c.want {
			k.Errorf("%+v holds: %v", c.condition, r.OK)
		}
	}
}

func operations(k *kit) {
	start := k.do(put("a/1", "1"), put("a/2", "1"), put("b", "1"))
	both := election.Txn{
		If: []election.Compare{election.Absent("c")},
		Then: []election.Op{
			put("c", "1"), election.Delete(election.Prefix("a/")), election.Get(everything), remove("a/1"),
			{Kind: election.Read, Keys: everything, Limit: 1},
		},
		Else: []election.Op{election.Get(election.Prefix("c")), put("d", "1")},
	}
	r := k.txn(both)
	if !r.OK || r.Revision != start+1 || len(r.Outcomes) != 5 {
		k.Fatalf("found %+v", r)
	}
	k.expect("a read sees what was done before it", r.Outcomes[2].Entries, "b=1 c=1")
	k.expect("a read with a limit", r.Outcomes[4].Entries, "b=1")
	if r.Outcomes[1].Removed != 2 || r.Outcomes[3].Removed != 0 {
		k.Errorf("found %+v", r)
	}
	r = k.txn(both)
	if r.OK || r.Revision != start+2 || len(r.Outcomes) != 2 {
		k.Fatalf("otherwise: found %+v", r)
	}
	k.expect("otherwise", r.Outcomes[0].Entries, "c=1")
	k.expect("at last", k.read(election.Span{Keys: everything}).Entries, "b=1 c=1 d=1")

	value := []byte("mine")
	k.do(election.Put("e", value, 0))
	value[0] = 'f' // stays the caller's
	k.do(put("empty", ""))
	k.expect("values", k.read(election.Span{Keys: election.Prefix("e")}).Entries, "e=mine empty=")
}

func refusedTransactions(k *kit) {
	start := k.do(put("a", "1"))
	many := func(n int) (ops []election.Op, conditions []election.Compare) {
		for i := range n {
			ops = append(ops, put(fmt.Sprint("many/", i), ""))
			conditions = append(conditions, election.Absent(fmt.Sprint("many/", i)))
		}
		return ops, conditions
	}
	ops, conditions := many(129)
	none := election.LeaseID(12345)
	for _, c := range []struct {
		what string
		txn  election.Txn
		kind error // nil for any
	}{
		{"a key written twice", election.Txn{Then: []election.Op{put("a", "2"), put("a", "3")}}, nil},
		{"a key written twice in the branch that does not run", election.Txn{Then: []election.Op{put("a", "2")}, Else: []election.Op{put("b", "2"), put("b", "3")}}, nil},
		{"a key written and removed", election.Txn{Then: []election.Op{put("a", "2"), election.Delete(election.Prefix("a"))}}, nil},
		{"no key", election.Txn{Then: []election.Op{put("a", "2"), put("", "2")}}, nil},
		{"a lease that never was", election.Txn{Then: []election.Op{put("a", "2"), election.Put("b", nil, none)}}, election.ErrNoLease},
		{"too many operations", election.Txn{Then: ops}, election.ErrTooLarge},
		{"too many conditions", election.Txn{If: conditions, Then: []election.Op{put("a", "2")}}, election.ErrTooLarge},
		{"too many bytes", election.Txn{Then: []election.Op{put("a", "2"), election.Put("b", bytes.Repeat([]byte("x"), 7*256<<10), 0)}}, election.ErrTooLarge},
	} {
		_, err := k.store.Txn(k.ctx, c.txn)
		if err == nil {
			k.Errorf("%s is accepted", c.what)
		} else if c.kind != nil {
			k.fails(c.what, err, c.kind)
		}
	}
	r := k.txn(election.Txn{Then: []election.Op{put("b", "1")}, Else: []election.Op{election.Put("b", nil, none)}})
	if r.Revision != start+1 {
		k.Errorf("what was refused took revisions: %d after %d", r.Revision, start)
	}
	k.expect("refused transactions", k.read(election.Span{Keys: everything}).Entries, "a=1 b=1")
	ops, _ = many(128)
	if r := k.do(ops...); r != start+2 {
		k.Errorf("128 operations are at %d", r)
	}
	if _, err := k.store.Range(k.ctx, election.Span{}); err == nil {
		k.Error("reading no key is accepted")
	}
}

func ranges(k *kit) {
	k.do(put("a", ""), put("a/", ""), put("a/1", ""), put("a/\xff", ""), put("a0", ""), put("b", ""), put("\xff\xff", ""), put("\xff\xffz", ""))
	for _, c := range []struct {
		what string
		keys election.Keys
		want string
	}{
		{"all", everything, "a= a/= a/1= a/\xff= a0= b= \xff\xff= \xff\xffz="},
		{"one", election.Key("a"), "a="},
		{"none", election.Key("c"), ""},
		{"a prefix", election.Prefix("a/"), "a/= a/1= a/\xff="},
		{"a prefix that nothing is behind", election.Prefix("\xff\xff"), "\xff\xff= \xff\xffz="},
		{"a prefix of none", election.Prefix("c"), ""},
		{"from one to another", election.Keys{First: "a/1", End: "b"}, "a/1= a/\xff= a0="},
		{"backwards", election.Keys{First: "b", End: "a"}, ""},
		{"from one on", election.Keys{First: "a1", End: "\x00"}, "b= \xff\xff= \xff\xffz="},
	} {
		page := k.read(election.Span{Keys: c.keys})
		k.expect(c.what, page.Entries, c.want)
		if page.Count != int64(len(page.Entries)) || page.More {
			k.Errorf("%s: found %+v", c.what, page)
		}
		for _, e := range page.Entries {
			if !c.keys.Has(e.Key) {
				k.Errorf("%s: %q is not said to be in it", c.what, e.Key)
			}
		}
	}
	k.do(put("a", "value"))
	k.expect("keys alone", k.read(election.Span{Keys: election.Key("a"), KeysOnly: true}).Entries, "a=@2")
	if r := k.txn(election.Txn{Then: []election.Op{election.Delete(election.Prefix("a/"))}}); r.Outcomes[0].Removed != 3 {
		k.Errorf("removing a prefix: found %+v", r)
	}
	k.expect("after it", k.read(election.Span{Keys: election.Prefix("a")}).Entries, "a=value@2 a0=")
}

func paging(k *kit) {
	var want []string
	for i := range 10 {
		key := fmt.Sprint("a/", i)
		k.do(put(key, "1"))
		want = append(want, key+"=1")
	}
	rest := election.Prefix("a/")
	var at int64
	var found []election.Entry
	for n := 0; ; n++ {
		page := k.read(election.Span{Keys: rest, Limit: 3, Revision: at})
		if at == 0 {
			at = page.Revision
		}
		found = append(found, page.Entries...)
		left := int64(10 - 3*n)
		if page.Count != left || page.More != (left > 3) {
			k.Fatalf("page %d: found %+v", n, page)
		}
		if !page.More {
			break
		}
		// Meanwhile others write, before and behind.
		k.do(put("a/0", "2"), put("a/55", "2"), remove("a/9"))
		k.do(put("a/9", "2"))
		rest.First = page.Entries[2].Key + "\x00"
	}
	k.expect("page by page", found, strings.Join(want, " "))
	page := k.read(election.Span{Keys: election.Prefix("a/"), Limit: 11})
	if page.More || page.Count != 11 {
		k.Errorf("as many as there are: found %+v", page)
	}
}

func compaction(k *kit) {
	start := k.do(put("a", "1"), put("b", "1"))
	k.do(put("a", "2"))
	k.do(remove("b"))
	k.do(put("a", "3"))
	k.fails("compacting what is yet to come", k.store.Compact(k.ctx, start+4), election.ErrFuture)
	if err := k.store.Compact(k.ctx, start+2); err != nil {
		k.Fatal(err)
	}
	for at := start; at < start+2; at++ {
		_, err := k.store.Range(k.ctx, election.Span{Keys: everything, Revision: at})
		k.compacted("reading what is gone", err)
	}
	for at, want := range map[int64]string{start + 2: "a=2@2", start + 3: "a=3@3", 0: "a=3@3"} {
		k.expect(fmt.Sprint("as of ", at), k.read(election.Span{Keys: everything, Revision: at}).Entries, want)
	}
	k.compacted("compacting it again", k.store.Compact(k.ctx, start+2))
	if err := k.store.Compact(k.ctx, start+3); err != nil {
		k.Errorf("compacting up to now: %v", err)
	}
	k.do(put("b", "2"))
	k.expect("a key that was removed begins anew", k.read(election.Span{Keys: everything}).Entries, "a=3@3 b=2")
}

func status(k *kit) {
	r := k.do(put("a", "value"))
	s, err := k.store.Status(k.ctx)
	if err != nil || s.Revision != r || s.NoSpace || s.InUse <= 0 || s.Size < s.InUse || s.Quota != 0 && s.Quota < s.Size {
		k.Errorf("at %d found %+v, %v", r, s, err)
	}
}
