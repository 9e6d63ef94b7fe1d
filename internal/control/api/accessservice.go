package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/internal/control/access"
)

// Members is the store's members, which control nodes that join are to become.
type Members interface {
	// Add makes the node a member that does not vote yet, and gives the peer URLs of
	// all members by their names, its own included. Again for the same node and URL, it
	// only answers.
	Add(ctx context.Context, name, peerURL string) (map[string]string, error)
	// Remove ends a node's membership; of a node that has none it does nothing.
	Remove(ctx context.Context, name string) error
}

// accessService says who may do what.
type accessService struct{ *Server }

func (s *accessService) Join(ctx context.Context, q *v1.JoinRequest) (*v1.JoinResponse, error) {
	token, err := access.ParseJoinToken(q.GetToken())
	if err != nil {
		return nil, err
	}
	if q.GetPeerUrl() != "" { // said first, so that the token is not spent on a mistake
		if err := checkPeer(q.GetPeerUrl()); err != nil {
			return nil, err
		}
	}
	joined, err := s.opts.Registry.Join(ctx, token, q.GetName(), q.GetCsr())
	if err != nil {
		return nil, err
	}
	answer := &v1.JoinResponse{
		Certificate: joined.Certificate, Ca: joined.CA, Principal: joined.Proto(), Cluster: s.opts.Registry.Cluster(),
	}
	if joined.Role != access.Control {
		return answer, nil
	}
	// What fails from here on can be asked again with the same token and key.
	if answer.CaKey, err = s.opts.Registry.CAKey(); err != nil {
		return nil, err
	}
	if q.GetPeerUrl() == "" { // it uses a cluster of etcd that is there
		return answer, nil
	}
	if s.opts.Members == nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("this control node runs no etcd of its own that another one could join: start the other one with --etcd, as this one"))
	}
	if answer.Members, err = s.opts.Members.Add(ctx, q.GetName(), q.GetPeerUrl()); err != nil {
		return nil, fmt.Errorf("adding the member %s: %w", q.GetName(), err)
	}
	return answer, nil
}

func checkPeer(s string) error {
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "https" && u.Path == "" {
		_, _, err = net.SplitHostPort(u.Host)
		if err == nil {
			return nil
		}
	}
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the peer URL %q: expected https://HOST:PORT", shorten(s)))
}

func (s *accessService) RenewCertificate(ctx context.Context, q *v1.RenewCertificateRequest) (*v1.RenewCertificateResponse, error) {
	certificate, ca, err := s.opts.Registry.Renew(ctx, access.Caller(ctx), q.GetCsr())
	if err != nil {
		return nil, err
	}
	return &v1.RenewCertificateResponse{Certificate: certificate, Ca: ca}, nil
}

func (s *accessService) WhoAmI(ctx context.Context, _ *v1.WhoAmIRequest) (*v1.WhoAmIResponse, error) {
	return &v1.WhoAmIResponse{Principal: access.Caller(ctx).Proto(), Cluster: s.opts.Registry.Cluster(), Version: s.opts.Version}, nil
}

func (s *accessService) CreateJoinToken(ctx context.Context, q *v1.CreateJoinTokenRequest) (*v1.CreateJoinTokenResponse, error) {
	token, info, err := s.opts.Registry.CreateJoin(ctx, q, access.Caller(ctx).Name, idempotencyKey(ctx))
	if err != nil {
		return nil, err
	}
	return &v1.CreateJoinTokenResponse{Token: token.String(), Info: info}, nil
}

// idempotencyKey is the header that a call can be sent again under.
func idempotencyKey(ctx context.Context) string {
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		return info.RequestHeader().Get("Idempotency-Key")
	}
	return ""
}

func (s *accessService) ListJoinTokens(ctx context.Context, _ *v1.ListJoinTokensRequest) (*v1.ListJoinTokensResponse, error) {
	all, err := s.opts.Registry.ListJoins(ctx, access.Caller(ctx).Environment)
	if err != nil {
		return nil, err
	}
	return &v1.ListJoinTokensResponse{Tokens: all}, nil
}

func (s *accessService) RevokeJoinToken(ctx context.Context, q *v1.RevokeJoinTokenRequest) (*v1.RevokeJoinTokenResponse, error) {
	if err := s.opts.Registry.RevokeJoin(ctx, q.GetId(), access.Caller(ctx).Environment); err != nil {
		return nil, err
	}
	return &v1.RevokeJoinTokenResponse{}, nil
}

func (s *accessService) CreatePrincipal(ctx context.Context, q *v1.CreatePrincipalRequest) (*v1.CreatePrincipalResponse, error) {
	p, err := access.ReadPrincipal(q.GetPrincipal())
	if err != nil {
		return nil, err
	}
	token, err := s.opts.Registry.Create(ctx, p, access.Caller(ctx).Name, idempotencyKey(ctx))
	if err != nil {
		return nil, err
	}
	return &v1.CreatePrincipalResponse{Token: token, Principal: p.Proto()}, nil
}

func (s *accessService) ListPrincipals(ctx context.Context, _ *v1.ListPrincipalsRequest) (*v1.ListPrincipalsResponse, error) {
	all, err := s.opts.Registry.List(ctx)
	if err != nil {
		return nil, err
	}
	answer := &v1.ListPrincipalsResponse{}
	for _, p := range all {
		answer.Principals = append(answer.Principals, p.Proto())
	}
	return answer, nil
}

func (s *accessService) RevokePrincipal(ctx context.Context, q *v1.RevokePrincipalRequest) (*v1.RevokePrincipalResponse, error) {
	caller := access.Caller(ctx)
	p, err := s.opts.Registry.Lookup(ctx, q.GetName())
	if err != nil {
		return nil, err
	}
	// A control node has all of the store for as long as it is a member, whatever the
	// registry says. If this fails, the call can be made again.
	if p.Role == access.Control && s.opts.Members != nil && access.PermitIn(caller, p.Environment) == nil {
		if err := s.opts.Members.Remove(ctx, p.Name); err != nil {
			return nil, err
		}
	}
	if err := s.opts.Registry.Revoke(ctx, q.GetName(), caller.Environment); err != nil {
		return nil, err
	}
	return &v1.RevokePrincipalResponse{}, nil
}

func (s *accessService) ListAudit(_ context.Context, q *v1.ListAuditRequest) (*v1.ListAuditResponse, error) {
	limit := int(q.GetLimit())
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > 1000 {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the limit is %d: expected 1 to 1000", limit))
	}
	events, err := s.opts.Audit.Newest(limit, func(e *access.Event) bool { return q.GetPrincipal() == "" || e.Principal == q.GetPrincipal() })
	if err != nil {
		return nil, err
	}
	answer := &v1.ListAuditResponse{}
	for _, e := range events {
		answer.Entries = append(answer.Entries, &v1.AuditEntry{
			Time: e.Time.Format(time.RFC3339Nano), Principal: e.Principal, Role: string(e.Role), Procedure: e.Procedure,
			Subject: e.Subject, Outcome: e.Outcome, Peer: e.Peer, Request: e.Request,
		})
	}
	return answer, nil
}
