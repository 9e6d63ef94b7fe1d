// Namespaces, and how one is deleted while others may write to it.

package kv

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// Every write compares that its namespace's record is there. So a namespace is deleted
// in two steps: the record is moved away, after which no write can come, and then,
// when a look shows that there is no key, what was moved away is removed. If there is a
// key it is moved back. Whoever finds a record moved away by a server that has died
// since takes the second step in its place.

// makeDefault makes the default namespace where there is none.
func makeDefault(ctx context.Context, store control.Store) error {
	at := namespacesAt + DefaultNamespace
	_, err := store.Txn(ctx, election.Txn{
		If:   []election.Compare{election.Absent(at)},
		Then: []election.Op{election.Put(at, quota{}.record(), 0)},
	})
	return err
}

func (q quota) record() []byte {
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // two numbers
	}
	return text
}

// readQuota reads a record. What a later version wrote and this one cannot read is no
// limit.
func readQuota(record []byte) *quota {
	q := &quota{}
	if json.Unmarshal(record, q) != nil {
		return &quota{}
	}
	return q
}

// ListNamespaces is part of towpath.v1.KeyValueService.
func (s *Service) ListNamespaces(ctx context.Context, _ *towpathv1.ListNamespacesRequest) (*towpathv1.ListNamespacesResponse, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	page, err := s.store.Range(ctx, election.Span{Keys: election.Prefix(namespacesAt)})
	if err != nil {
		return nil, ofStore(ctx, err, false)
	}
	response := &towpathv1.ListNamespacesResponse{}
	for _, e := range page.Entries {
		response.Namespaces = append(response.Namespaces, s.described(strings.TrimPrefix(e.Key, namespacesAt), readQuota(e.Value)))
	}
	return response, nil
}

func (s *Service) described(name string, q *quota) *towpathv1.Namespace {
	bytes, keys := s.census.holds(name)
	return &towpathv1.Namespace{Name: name, QuotaBytes: q.Bytes, QuotaKeys: q.Keys, Bytes: bytes, Keys: keys}
}

// SetNamespace is part of towpath.v1.KeyValueService.
func (s *Service) SetNamespace(ctx context.Context, r *towpathv1.SetNamespaceRequest) (*towpathv1.SetNamespaceResponse, error) {
	if r.Name == "" {
		return nil, invalid("name", "a DNS label", "none", "name the namespace")
	}
	if err := checkNamespace("name", &r.Name); err != nil {
		return nil, err
	}
	for field, n := range map[string]int64{"quota_bytes": r.QuotaBytes, "quota_keys": r.QuotaKeys} {
		if n < 0 {
			return nil, invalid(field, "a limit, or 0 for none", fmt.Sprint(n), "choose one")
		}
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := s.roomForNamespace(ctx, r.Name); err != nil {
		return nil, err
	}
	q := quota{r.QuotaBytes, r.QuotaKeys}
	for range tries {
		result, err := s.store.Txn(ctx, election.Txn{
			If:   []election.Compare{election.Absent(endingAt + r.Name)},
			Then: []election.Op{election.Put(namespacesAt+r.Name, q.record(), 0)},
		})
		if err != nil {
			return nil, ofStore(ctx, err, true)
		}
		if result.OK {
			s.census.wait(ctx, result.Revision) // its own writes are to know the quota
			return &towpathv1.SetNamespaceResponse{Namespace: s.described(r.Name, &q)}, nil
		}
		if _, err := s.finishDeletion(ctx, r.Name); err != nil {
			return nil, ofStore(ctx, err, false)
		}
	}
	return nil, refuse(connect.CodeAborted, "namespace %q is being deleted: send this again", r.Name)
}

// roomForNamespace refuses a new namespace where there are too many.
func (s *Service) roomForNamespace(ctx context.Context, name string) error {
	page, err := s.store.Range(ctx, election.Span{Keys: election.Prefix(namespacesAt), Limit: 1, KeysOnly: true})
	if err != nil {
		return ofStore(ctx, err, false)
	}
	if page.Count < maxNamespaces {
		return nil
	}
	switch there, err := s.hasNamespace(ctx, name); {
	case err != nil:
		return ofStore(ctx, err, false)
	case !there:
		return refuse(connect.CodeResourceExhausted, "there are %d namespaces, and there may be %d: delete some, or use prefixes of keys instead", page.Count, maxNamespaces)
	}
	return nil
}

// DeleteNamespace is part of towpath.v1.KeyValueService.
func (s *Service) DeleteNamespace(ctx context.Context, r *towpathv1.DeleteNamespaceRequest) (*towpathv1.DeleteNamespaceResponse, error) {
	if r.Name == "" || r.Name == DefaultNamespace {
		return nil, refuse(connect.CodeFailedPrecondition, "namespace %q stays: delete its keys instead", DefaultNamespace)
	}
	if err := checkNamespace("name", &r.Name); err != nil {
		return nil, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	// Most that are not empty are told so before anything is moved.
	keys, err := s.store.Range(ctx, election.Span{Keys: election.Prefix(keyAt(r.Name, "")), Limit: 1, KeysOnly: true})
	if err != nil {
		return nil, ofStore(ctx, err, false)
	}
	if keys.Count > 0 {
		return nil, holdsKeys(r.Name, keys.Count)
	}
	moved := false // by this call
	for range tries {
		record, err := s.store.Range(ctx, election.Span{Keys: election.Key(namespacesAt + r.Name)})
		if err != nil {
			return nil, ofStore(ctx, err, false)
		}
		there := len(record.Entries) > 0
		if there {
			e := record.Entries[0]
			result, err := s.store.Txn(ctx, election.Txn{
				If:   []election.Compare{election.ModifiedAt(e.Key, e.Modified)},
				Then: []election.Op{election.Delete(election.Key(e.Key)), election.Put(endingAt+r.Name, e.Value, 0)},
			})
			if err != nil {
				return nil, ofStore(ctx, err, true)
			}
			if !result.OK {
				continue
			}
			moved = true
		}
		left, err := s.finishDeletion(ctx, r.Name)
		switch {
		case err != nil:
			return nil, ofStore(ctx, err, true)
		case left > 0:
			return nil, holdsKeys(r.Name, left)
		case left < 0 && there:
			continue // another has taken the second step: which way?
		case left < 0 && !moved:
			return nil, noNamespace(r.Name)
		}
		return &towpathv1.DeleteNamespaceResponse{}, nil
	}
	return nil, refuse(connect.CodeAborted, "namespace %q is being changed by others: send this again", r.Name)
}

// finishDeletion takes the second step of a deletion, if one was begun. It returns how
// many keys were in the way; -1 if nobody had begun one.
func (s *Service) finishDeletion(ctx context.Context, name string) (left int64, err error) {
	ending, record := endingAt+name, namespacesAt+name
	// At one revision: nothing writes keys while the record is away.
	seen, err := s.store.Txn(ctx, election.Txn{Then: []election.Op{
		election.Get(election.Key(ending)),
		{Kind: election.Read, Keys: election.Prefix(keyAt(name, "")), Limit: 1},
	}})
	if err != nil {
		return 0, err
	}
	begun, keys := seen.Outcomes[0].Entries, seen.Outcomes[1].Entries
	if len(begun) == 0 {
		return -1, nil
	}
	then := []election.Op{election.Delete(election.Key(ending))}
	if len(keys) > 0 {
		then = append(then, election.Put(record, begun[0].Value, 0))
	}
	// If it is not there any more, another has taken this step.
	if _, err := s.store.Txn(ctx, election.Txn{If: []election.Compare{election.ModifiedAt(ending, begun[0].Modified)}, Then: then}); err != nil {
		return 0, err
	}
	return int64(len(keys)), nil
}

// hasNamespace reports whether there is a namespace, after any deletion of it that was
// begun has ended.
func (s *Service) hasNamespace(ctx context.Context, name string) (bool, error) {
	for {
		page, err := s.store.Range(ctx, election.Span{Keys: election.Key(namespacesAt + name)})
		if err != nil || len(page.Entries) > 0 {
			return err == nil, err
		}
		if left, err := s.finishDeletion(ctx, name); err != nil || left <= 0 {
			return false, err
		}
	}
}

func holdsKeys(name string, keys int64) error {
	return refuse(connect.CodeFailedPrecondition, "namespace %q holds keys, %d at least: delete them first", name, keys)
}

func noNamespace(name string) error {
	return refuse(connect.CodeNotFound, "there is no namespace %q: make it with \"tow kv ns set %s\", or see \"tow kv ns list\"", name, name)
}
