package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// A JoinToken lets one node join: tow1.ID.SECRET.PIN. The pin is the CA's, by which the
// node knows the cluster before it shows the secret.
type JoinToken struct{ ID, Secret, Pin string }

// tokenVersion begins every join token.
const tokenVersion = "tow1"

func (t JoinToken) String() string {
	return strings.Join([]string{tokenVersion, t.ID, t.Secret, t.Pin}, ".")
}

// ParseJoinToken reads a join token.
func ParseJoinToken(s string) (JoinToken, error) {
	parts := strings.Split(strings.TrimSpace(s), ".")
	if len(parts) != 4 || parts[0] != tokenVersion || parts[1] == "" || parts[2] == "" || parts[3] == "" {
		return JoinToken{}, invalid("that is no join token: expected tow1.ID.SECRET.PIN, as \"tow join-token create\" prints it")
	}
	return JoinToken{parts[1], parts[2], parts[3]}, nil
}

// joinRecord is a join token in the store, without its secret.
type joinRecord struct {
	Hash        string `json:"hash"` // of the secret
	Role        Role   `json:"role"`
	Environment string `json:"environment,omitempty"`
	Expires     int64  `json:"expires"`
	CreatedBy   string `json:"created_by"`
}

func (r *joinRecord) info(id string) *towpathv1.JoinToken {
	role := towpathv1.NodeRole_NODE_ROLE_RESPONDER
	if r.Role == Control {
		role = towpathv1.NodeRole_NODE_ROLE_CONTROL
	}
	return &towpathv1.JoinToken{Id: id, Role: role, Environment: r.Environment, Expires: r.Expires, CreatedBy: r.CreatedBy}
}

// How long join tokens may be good for.
const (
	minJoin     = time.Minute
	maxJoin     = 7 * 24 * time.Hour
	defaultJoin = time.Hour
)

// CreateJoin makes a join token. Once is as in [Registry.Create].
func (r *Registry) CreateJoin(ctx context.Context, q *towpathv1.CreateJoinTokenRequest, by, once string) (JoinToken, *towpathv1.JoinToken, error) {
	ttl := time.Duration(min(q.GetTtlSeconds(), math.MaxInt32)) * time.Second
	if ttl == 0 {
		ttl = defaultJoin
	}
	if ttl < minJoin || ttl > maxJoin {
		return JoinToken{}, nil, invalid("the token would be good for %s: expected %s to %s", ttl, minJoin, maxJoin)
	}
	role, err := nodeRole(q.GetRole())
	if err != nil {
		return JoinToken{}, nil, err
	}
	switch env := q.GetEnvironment(); {
	case role == Control && env != "":
		return JoinToken{}, nil, invalid("a control node is of all environments: leave the environment out")
	case role == Node:
		if err := CheckName("an environment", env); err != nil {
			return JoinToken{}, nil, err
		}
	}
	// An id is typed by people: small letters and digits, 50 random bits.
	t := JoinToken{ID: strings.ToLower(rand.Text()[:10]), Secret: randomText(32), Pin: r.ca.Pin()}
	made := joinRecord{Hash: hashOf([]byte(t.Secret)), Role: role, Environment: q.GetEnvironment(), Expires: time.Now().Add(ttl).Unix(), CreatedBy: by}
	lease, _, err := r.store.Grant(ctx, ttl)
	if err != nil {
		return JoinToken{}, nil, err
	}
	key := joinPrefix + t.ID
	err = r.once(ctx, by, once, "the join token "+t.ID, election.Txn{
		If: []election.Compare{election.Absent(key)}, Then: []election.Op{putOn(key, made, lease)},
	}, func() error { return errors.New("two join tokens have the same id; ask again") })
	if err != nil {
		_ = r.store.Revoke(ctx, lease) // nobody has the secret
		return JoinToken{}, nil, err
	}
	return t, made.info(t.ID), nil
}

// ListJoins is the join tokens that are good, of one environment unless within is "".
func (r *Registry) ListJoins(ctx context.Context, within string) ([]*towpathv1.JoinToken, error) {
	page, err := r.store.Range(ctx, election.Span{Keys: election.Prefix(joinPrefix)})
	if err != nil {
		return nil, err
	}
	var out []*towpathv1.JoinToken
	for _, e := range page.Entries {
		var t joinRecord
		if err := json.Unmarshal(e.Value, &t); err != nil {
			return nil, fmt.Errorf("%s in the store: %w", e.Key, err)
		}
		if t.Expires > time.Now().Unix() && (within == "" || within == t.Environment) {
			out = append(out, t.info(strings.TrimPrefix(e.Key, joinPrefix)))
		}
	}
	return out, nil
}

// RevokeJoin ends a join token.
func (r *Registry) RevokeJoin(ctx context.Context, id, within string) error {
	key, t, err := r.joinToken(ctx, id)
	if err != nil {
		return err
	}
	if key.Key == "" || within != "" && within != t.Environment {
		return connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no join token %q: it was used or revoked, or has expired", shorten(id)))
	}
	_, err = r.store.Txn(ctx, election.Txn{Then: []election.Op{election.Delete(election.Key(key.Key))}})
	return err
}

// joinToken reads a join token; the entry is empty without one.
func (r *Registry) joinToken(ctx context.Context, id string) (election.Entry, *joinRecord, error) {
	page, err := r.store.Range(ctx, election.Span{Keys: election.Key(joinPrefix + id)})
	if err != nil || len(page.Entries) == 0 {
		return election.Entry{}, nil, err
	}
	t := &joinRecord{}
	return page.Entries[0], t, json.Unmarshal(page.Entries[0].Value, t)
}

// Joined is what a node gets.
type Joined struct {
	Principal
	Certificate, CA []byte // PEM
}

// errJoin is all that who shows no good token hears: which ids there are is no
// business of his.
var errJoin = connect.NewError(connect.CodeUnauthenticated, errors.New("the join token was used or revoked, has expired, or is of another cluster; \"tow join-token create\" makes one"))

// Join spends a join token on a node. The token goes as the principal comes, in one
// transaction, so that of two nodes with one token one gets in. A node that did not
// hear the answer may ask again, with the same token, name and key.
func (r *Registry) Join(ctx context.Context, token JoinToken, name string, request []byte) (*Joined, error) {
	if subtle.ConstantTimeCompare([]byte(token.Pin), []byte(r.ca.Pin())) == 0 {
		return nil, errJoin
	}
	at, t, err := r.joinToken(ctx, token.ID)
	if err != nil {
		return nil, err
	}
	secret := hashOf([]byte(token.Secret))
	if at.Key != "" && (t.Hash != secret || t.Expires <= time.Now().Unix()) {
		return nil, errJoin
	}
	csr, keyHash, err := readRequest(request)
	if err != nil {
		return nil, err
	}
	if err := CheckName("a node", name); err != nil {
		return nil, err
	}
	key := principalPrefix + name
	var made record
	if at.Key == "" {
		if made, err = r.joinedBefore(ctx, key, secret, keyHash); err != nil {
			return nil, err
		}
	} else {
		made = record{Role: t.Role, Environment: t.Environment, Key: keyHash, Join: secret, Created: time.Now().Unix(), CreatedBy: t.CreatedBy}
		result, err := r.store.Txn(ctx, election.Txn{
			If:   []election.Compare{election.ModifiedAt(at.Key, at.Modified), election.Absent(key)},
			Then: []election.Op{election.Delete(election.Key(at.Key)), put(key, made)},
			Else: []election.Op{election.Get(election.Key(key))},
		})
		if err != nil {
			return nil, err
		}
		if !result.OK && len(result.Outcomes[0].Entries) == 0 {
			return nil, errJoin // another node was faster
		}
		if !result.OK {
			if made, err = r.joinedBefore(ctx, key, secret, keyHash); err != nil {
				return nil, connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("there is a principal %q already: join under another name, or end the old one with \"tow principal revoke %s\"; the token is still good", name, name))
			}
		}
	}
	p := made.principal(name)
	certificate, err := r.ca.issue(csr, p)
	if err != nil {
		return nil, err
	}
	r.caughtUp(ctx)
	return &Joined{p, certificate, r.ca.PEM}, nil
}

// joinedBefore is the node that has joined with this token and this key.
func (r *Registry) joinedBefore(ctx context.Context, key, secret, keyHash string) (record, error) {
	page, err := r.store.Range(ctx, election.Span{Keys: election.Key(key)})
	if err != nil {
		return record{}, err
	}
	var p record
	if len(page.Entries) == 0 || json.Unmarshal(page.Entries[0].Value, &p) != nil || p.Join != secret || p.Key != keyHash {
		return record{}, errJoin
	}
	return p, nil
}

// Renew makes a node another certificate, for the key that it joined with.
func (r *Registry) Renew(ctx context.Context, p Principal, request []byte) (certificate, ca []byte, err error) {
	csr, keyHash, err := readRequest(request)
	if err != nil {
		return nil, nil, err
	}
	page, err := r.store.Range(ctx, election.Span{Keys: election.Key(principalPrefix + p.Name)})
	if err != nil {
		return nil, nil, err
	}
	var now record
	if len(page.Entries) == 0 || json.Unmarshal(page.Entries[0].Value, &now) != nil || now.Role != p.Role {
		return nil, nil, errEnded
	}
	if now.Key != keyHash {
		return nil, nil, invalid("the certificate request is for another key than the node joined with: for another key, join again")
	}
	certificate, err = r.ca.issue(csr, now.principal(p.Name))
	return certificate, r.ca.PEM, err
}
