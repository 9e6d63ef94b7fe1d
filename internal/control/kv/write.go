// Writes: what each of them is as a step, and how a step is let in.

package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// Put is part of towpath.v1.KeyValueService.
func (s *Service) Put(ctx context.Context, r *towpathv1.PutRequest) (*towpathv1.PutResponse, error) {
	if err := firstOf(checkNamespace("namespace", &r.Namespace), checkKey("key", r.Key), checkValue("value", r.Value), checkTTL("ttl_seconds", r.TtlSeconds), checkRevision("if_modified", r.GetIfModified())); err != nil {
		return nil, err
	}
	put := &towpathv1.Operation_Put{Key: r.Key, Value: r.Value, TtlSeconds: r.TtlSeconds}
	response, err := s.write(ctx, "Put", r, single(r.Namespace, r.Key, r.IfModified, &towpathv1.Operation{Operation: &towpathv1.Operation_Put_{Put: put}}))
	if err != nil {
		return nil, err
	}
	return &towpathv1.PutResponse{Revision: response.Revision}, nil
}

// Delete is part of towpath.v1.KeyValueService.
func (s *Service) Delete(ctx context.Context, r *towpathv1.DeleteRequest) (*towpathv1.DeleteResponse, error) {
	if err := firstOf(checkNamespace("namespace", &r.Namespace), checkKey("key", r.Key), checkRevision("if_modified", r.GetIfModified())); err != nil {
		return nil, err
	}
	remove := &towpathv1.Operation_Delete{Key: r.Key}
	response, err := s.write(ctx, "Delete", r, single(r.Namespace, r.Key, r.IfModified, &towpathv1.Operation{Operation: &towpathv1.Operation_Delete_{Delete: remove}}))
	if err != nil {
		return nil, err
	}
	return &towpathv1.DeleteResponse{Revision: response.Revision, Deleted: response.Results[0].Deleted}, nil
}

// Txn is part of towpath.v1.KeyValueService. The gets of a branch find what was there
// before the branch's writes.
func (s *Service) Txn(ctx context.Context, r *towpathv1.TxnRequest) (*towpathv1.TxnResponse, error) {
	if err := checkTxn(r); err != nil {
		return nil, err
	}
	return s.write(ctx, "Txn", r, &step{TxnRequest: r})
}

// A step is a write as it is run.
type step struct {
	*towpathv1.TxnRequest
	// Whether it is refused when its comparison does not hold; then its else reads the
	// key, to tell what was found.
	mustHold bool
	// Under which Idempotency-Key it is sent; nil without one.
	repeat *repeat
}

// single is a step of one write of a key, which may have to be last written at a
// revision.
func single(namespace, key string, ifModified *int64, op *towpathv1.Operation) *step {
	t := &towpathv1.TxnRequest{Namespace: namespace, Then: []*towpathv1.Operation{op}}
	if ifModified != nil {
		t.If = []*towpathv1.Comparison{{Key: key, Field: towpathv1.Comparison_FIELD_MODIFIED, Number: *ifModified}}
		t.Else = []*towpathv1.Operation{{Operation: &towpathv1.Operation_Get_{Get: &towpathv1.Operation_Get{Key: key}}}}
	}
	return &step{TxnRequest: t, mustHold: true}
}

// mismatch is the refusal of a step that must hold, by what its else found.
func (t *step) mismatch(results []*towpathv1.OperationResult) error {
	describe := func(modified int64) string {
		if modified == 0 {
			return "absent"
		}
		return fmt.Sprintf("last written at revision %d", modified)
	}
	c := t.If[0]
	return refuse(connect.CodeFailedPrecondition, "%s: expected %s, found %s; read it again, and decide anew", place(t.Namespace, c.Key), describe(c.Number), describe(results[0].GetEntry().GetModified()))
}

// tries is how often something is tried anew that others were quicker with. Each time
// one of them has got on.
const tries = 20

// write lets a step in and runs it.
func (s *Service) write(ctx context.Context, procedure string, request proto.Message, t *step) (*towpathv1.TxnResponse, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if t.repeat, err = s.repeatOf(ctx, procedure, request); err != nil {
		return nil, err
	}
	if t.repeat != nil {
		// Before anything can refuse it: what was done was let in.
		if response, err := s.answered(ctx, t.repeat); response != nil || err != nil {
			return response, err
		}
	}
	puts := t.puts()
	if len(puts) > 0 {
		if err := s.gate.pass(proto.Size(request)); err != nil {
			return nil, err
		}
	}
	room, err := s.census.reserve(ctx, t.Namespace, puts)
	if err != nil {
		return nil, err
	}
	done, err := s.run(ctx, t)
	switch {
	case err == nil && done.wrote:
		s.census.settle(room, done.Revision)
	case err == nil || certain(err) || errors.As(err, new(*connect.Error)):
		s.census.settle(room, 0)
	default:
		s.census.lose(room)
	}
	if err != nil {
		return nil, ofStore(ctx, err, true)
	}
	return done.TxnResponse, nil
}

// ran is what a step did.
type ran struct {
	*towpathv1.TxnResponse
	wrote bool // or removed a key
}

// run runs a step, and again with other leases where one had ended.
func (s *Service) run(ctx context.Context, t *step) (ran, error) {
	for last := false; ; last = true {
		held, err := s.leasesFor(ctx, t)
		if err != nil {
			return ran{}, ofStore(ctx, err, false) // nothing was written
		}
		var done ran
		if t.direct() {
			done, err = s.runDirect(ctx, t, held)
		} else {
			done, err = s.runPlanned(ctx, t, held)
		}
		if errors.Is(err, election.ErrNoLease) && !last {
			s.leases.forget(held)
			continue
		}
		return done, err
	}
}

// leasesFor takes the leases that a step needs, by TTL.
func (s *Service) leasesFor(ctx context.Context, t *step) (map[int64]election.LeaseID, error) {
	held := map[int64]election.LeaseID{}
	take := func(ttl int64) (err error) {
		if ttl != 0 && held[ttl] == 0 {
			held[ttl], err = s.leases.take(ctx, time.Duration(ttl)*time.Second)
		}
		return err
	}
	for _, branch := range [][]*towpathv1.Operation{t.Then, t.Else} {
		for _, op := range branch {
			if err := take(op.GetPut().GetTtlSeconds()); err != nil {
				return nil, err
			}
		}
	}
	if t.repeat != nil {
		return held, take(repeatFor)
	}
	return held, nil
}

// puts is what a step may put, in either branch.
func (t *step) puts() []sized {
	var puts []sized
	for _, branch := range [][]*towpathv1.Operation{t.Then, t.Else} {
		for _, op := range branch {
			if p := op.GetPut(); p != nil {
				puts = append(puts, sized{p.Key, len(p.Key) + len(p.Value)})
			}
		}
	}
	return puts
}

// reads reports whether a branch only reads.
func reads(ops []*towpathv1.Operation) bool {
	for _, op := range ops {
		if op.GetGet() == nil {
			return false
		}
	}
	return true
}
