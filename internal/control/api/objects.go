package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/semaphore"

	v1 "towpath.dev/api/towpathv1"
	rpc "towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/release"
)

// signaturesKind is what signatures are asked for as.
const signaturesKind = "signatures"

// ObjectPath is where objects of releases are read and put.
const ObjectPath = "/objects/{kind}/{digest}"

const (
	// mostInMemory is how many bytes of objects are in memory at once: two of the largest.
	mostInMemory = 2 * release.MaxArtifact
	// objectTime is how long an object may take to arrive, or to be taken.
	objectTime = 5 * time.Minute
)

// room is for objects in memory. Each is read as a whole, as it is verified before anybody is
// given it.
type room struct{ left *semaphore.Weighted }

func newRoom() room { return room{semaphore.NewWeighted(mostInMemory)} }

// take waits until there is room for an object, and for no longer than a time.
func (r room) take(ctx context.Context, size int64, patience time.Duration) (leave func(), err error) {
	size = min(max(size, 0), mostInMemory)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.left.Acquire(waiting, size); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("this control node has had others' objects in memory for %s, as many as it may; ask again", patience))
	}
	return func() { r.left.Release(size) }, nil
}

// mostOf is how many bytes an object of a kind has at most, or the signatures of a release.
func mostOf(kind string) (int64, error) {
	if kind == signaturesKind {
		return release.MaxEnvelope, nil
	}
	k := release.Kind(kind)
	return k.Most(), k.Check()
}

// GetObject reads an object that fits into a message. Objects of releases are small as a rule, and
// may be large: they have paths of their own.
func (s *deployService) GetObject(ctx context.Context, q *v1.GetObjectRequest) (*v1.GetObjectResponse, error) {
	size, err := s.sizeOf(ctx, q.GetKind(), q.GetDigest())
	if err != nil {
		return nil, err
	}
	if size > int64(s.opts.MaxBody) {
		return nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the %s has %d bytes, and a message %d at most: GET /objects/%s/%s", q.GetKind(), size, s.opts.MaxBody, q.GetKind(), q.GetDigest()))
	}
	data, err := s.object(ctx, q.GetKind(), q.GetDigest())
	if err != nil {
		return nil, err
	}
	return &v1.GetObjectResponse{Data: data}, nil
}

// PutObject keeps an object that fits into a message.
func (s *deployService) PutObject(ctx context.Context, q *v1.PutObjectRequest) (*v1.PutObjectResponse, error) {
	return &v1.PutObjectResponse{}, s.putObject(ctx, q.GetKind(), q.GetDigest(), q.GetData())
}

// sizeOf is how many bytes an object has; of signatures it is what they have at most.
func (s *deployService) sizeOf(ctx context.Context, kind, digest string) (int64, error) {
	most, err := mostOf(kind)
	if err != nil {
		return 0, connect.NewError(connect.CodeInvalidArgument, err)
	}
	d, err := release.ParseDigest(digest)
	if err != nil {
		return 0, connect.NewError(connect.CodeInvalidArgument, err)
	}
	if kind == signaturesKind {
		return 0, nil
	}
	size, err := s.opts.Deployments.Objects.Size(ctx, release.Kind(kind), d)
	return min(size, most), missing(err, kind, d)
}

// missing says of an object that is not there what to do about it.
func missing(err error, kind string, d release.Digest) error {
	if errors.Is(err, blob.ErrNotFound) {
		return connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no %s %s here: deploy the release that it is of once more", kind, d))
	}
	return err
}

// object reads an object, or the signatures of a release as a list of envelopes. A release and its
// signatures are of the release's environment. Artifacts and bindings are of none: whoever knows
// their digests has read a release that names them.
func (s *deployService) object(ctx context.Context, kind, digest string) ([]byte, error) {
	d, err := release.ParseDigest(digest)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	if kind != signaturesKind {
		if err := release.Kind(kind).Check(); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
	}
	objects := s.opts.Deployments.Objects
	if who := access.Caller(ctx); who.Environment != "" && (kind == signaturesKind || kind == string(release.KindRelease)) {
		r, err := objects.Release(ctx, d)
		if err != nil {
			return nil, missing(err, kind, d)
		}
		if err := access.PermitIn(who, r.Environment); err != nil {
			return nil, err
		}
	}
	if kind != signaturesKind {
		data, err := objects.Object(ctx, release.Kind(kind), d)
		return data, missing(err, kind, d)
	}
	all, err := objects.Signatures(ctx, d)
	if err != nil {
		return nil, missing(err, kind, d)
	}
	return lines(all)
}

// lines are envelopes, one on each line.
func lines(all []*release.Envelope) ([]byte, error) {
	var text bytes.Buffer
	for _, e := range all {
		line, err := e.Encode()
		if err != nil {
			return nil, err
		}
		text.Write(line)
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

func (s *deployService) putObject(ctx context.Context, kind, digest string, data []byte) error {
	d, err := release.ParseDigest(digest)
	if err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	if kind == signaturesKind {
		return s.putSignatures(ctx, d, data)
	}
	if err := release.Kind(kind).Check(); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	if found := release.DigestOf(data); found != d {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the %s is %s, and not %s: it was changed on its way; send it again", kind, found.Short(), d.Short()))
	}
	if kind == string(release.KindRelease) {
		r, err := release.Decode(data)
		if err != nil {
			return connect.NewError(connect.CodeInvalidArgument, err)
		}
		if err := access.PermitIn(access.Caller(ctx), r.Environment); err != nil {
			return err
		}
	}
	_, err = s.opts.Deployments.Objects.Put(ctx, release.Kind(kind), data)
	return err
}

// putSignatures keeps signatures of a release that are good.
func (s *deployService) putSignatures(ctx context.Context, d release.Digest, data []byte) error {
	e, err := release.DecodeEnvelope(data)
	if err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	objects := s.opts.Deployments.Objects
	r, err := objects.Release(ctx, d)
	if errors.Is(err, blob.ErrNotFound) {
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("the release %s is not here, and cannot be signed: put it first", d.Short()))
	}
	if err != nil {
		return err
	}
	if err := access.PermitIn(access.Caller(ctx), r.Environment); err != nil {
		return err
	}
	policy, err := s.policy(ctx)
	if err != nil {
		return err
	}
	err = objects.AddSignatures(ctx, policy, d, e)
	switch {
	case errors.Is(err, release.ErrBadSignature):
		return connect.NewError(connect.CodeInvalidArgument, err)
	case errors.Is(err, blob.ErrExists), errors.Is(err, release.ErrDamaged):
		return connect.NewError(connect.CodeFailedPrecondition, err)
	}
	return err
}

// policy is the trust policy in force; nil is none.
func (s *deployService) policy(ctx context.Context) (*release.Policy, error) {
	text, err := s.service.Policy(ctx)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	return release.ReadPolicy(text)
}

// objectRoutes serve objects of any size.
func (s *deployService) objectRoutes() []Route {
	subject := func(r *http.Request) (string, string) {
		return access.Subject(r.PathValue("kind"), r.PathValue("digest")), ""
	}
	served := func(do func(w http.ResponseWriter, r *http.Request) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := do(w, r); err != nil {
				callOf(r.Context()).failed = err
				plain(w, statusOf(err), err.Error()+"\n")
			}
		})
	}
	return []Route{
		{Pattern: "GET " + ObjectPath, Procedure: rpc.DeployServiceGetObjectProcedure, Subject: subject, Handler: served(s.serveObject)},
		{Pattern: "PUT " + ObjectPath, Procedure: rpc.DeployServicePutObjectProcedure, Subject: subject, Handler: served(s.takeObject)},
	}
}

// serveObject answers with an object.
func (s *deployService) serveObject(w http.ResponseWriter, r *http.Request) error {
	kind, digest := r.PathValue("kind"), r.PathValue("digest")
	size, err := s.sizeOf(r.Context(), kind, digest)
	if err != nil {
		return err
	}
	leave, err := s.room.take(r.Context(), size, s.opts.Timeout)
	if err != nil {
		return err
	}
	defer leave()
	data, err := s.object(r.Context(), kind, digest)
	if err != nil {
		return err
	}
	_ = callOf(r.Context()).wire.SetWriteDeadline(time.Now().Add(objectTime))
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data)
	return nil
}

// takeObject keeps an object.
func (s *deployService) takeObject(w http.ResponseWriter, r *http.Request) error {
	kind := r.PathValue("kind")
	most, err := mostOf(kind)
	if err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	size := r.ContentLength
	switch {
	case size < 0: // it does not say
		size = most
	case size > most:
		return tooLarge(kind, most)
	}
	leave, err := s.room.take(r.Context(), size, s.opts.Timeout)
	if err != nil {
		return err
	}
	defer leave()
	wire := callOf(r.Context()).wire
	_ = wire.SetReadDeadline(time.Now().Add(objectTime)) // it has room that others may wait for
	_ = wire.SetWriteDeadline(time.Now().Add(objectTime + s.opts.Timeout + writeTime))
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead)) // it does not grow
	_, err = data.ReadFrom(http.MaxBytesReader(w, r.Body, most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge(kind, most)
	case err != nil:
		return connect.NewError(connect.CodeUnavailable, fmt.Errorf("the %s has not arrived: %w; send it again", kind, err))
	}
	if err := s.putObject(r.Context(), kind, r.PathValue("digest"), data.Bytes()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func tooLarge(kind string, most int64) error {
	return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the %s is larger than %d bytes, which is the most that it may have", kind, most))
}
