package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// Where things are in the store.
const (
	clusterKey      = "access/cluster"    // a clusterRecord
	principalPrefix = "access/principal/" // + name: a record
	joinPrefix      = "access/join/"      // + id: a joinRecord, on a lease of its time
	oncePrefix      = "access/once/"      // + hash: what an Idempotency-Key made, on a lease of a day
)

// clusterRecord says whose a store is.
type clusterRecord struct {
	Cluster string `json:"cluster"`
	Pin     string `json:"pin"`
}

// record is a principal in the store. It holds hashes: tokens are 256 random bits and
// keys are public, so that plain ones keep them secret.
type record struct {
	Role        Role   `json:"role"`
	Environment string `json:"environment,omitempty"`
	Expires     int64  `json:"expires,omitempty"`
	Token       string `json:"token,omitempty"` // the hash of its bearer token
	Key         string `json:"key,omitempty"`   // the hash of its certificates' public key
	// Join is the hash of the token that a node joined with, so that one that did not
	// hear the answer can ask again.
	Join      string `json:"join,omitempty"`
	Created   int64  `json:"created,omitempty"`
	CreatedBy string `json:"created_by,omitempty"`
}

func (r *record) principal(name string) Principal {
	p := Principal{Name: name, Role: r.Role, Environment: r.Environment}
	if r.Expires != 0 {
		p.Expires = time.Unix(r.Expires, 0)
	}
	return p
}

// Freshness: the registry reads all principals when one has changed, and at least
// every refreshEvery. When it could not for staleAfter, it refuses everybody: the
// principal that asks may have been revoked at another control node meanwhile.
const (
	refreshEvery = 2 * time.Second
	staleAfter   = 10 * time.Second
)

// Known is a principal that has shown who it is.
type Known struct {
	Principal
	// Credential is how: "certificate" or "token".
	Credential string

	ctx context.Context
}

// errEnded is why calls of a principal that was revoked end.
var errEnded = connect.NewError(connect.CodeUnauthenticated, errors.New("the principal was revoked or changed, or has expired"))

// During is ctx, ended with the principal too: for calls that last.
func (k *Known) During(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(k.ctx, func() { cancel(errEnded) })
	return ctx, func() { stop(); cancel(nil) }
}

// Registry is the principals of a cluster. It is safe for concurrent use.
type Registry struct {
	store control.Store
	ca    *CA
	log   *slog.Logger
	ready chan struct{} // closed once it has read the store

	mu       sync.Mutex
	revision int64
	fresh    time.Time // it is believed until then
	byName   map[string]*entry
	byToken  map[string]*entry
}

// entry is a principal as it was read last.
type entry struct {
	record
	name     string
	modified int64
	ctx      context.Context // until it is revoked, changed or expired
	end      context.CancelFunc
}

// NewRegistry makes a registry that knows nobody before Run.
func NewRegistry(store control.Store, ca *CA, log *slog.Logger) *Registry {
	return &Registry{store: store, ca: ca, log: log, ready: make(chan struct{}), byName: map[string]*entry{}, byToken: map[string]*entry{}}
}

// Cluster is the name of the cluster.
func (r *Registry) Cluster() string { return r.ca.Cluster() }

// CAKey is the CA's key, PEM, for a control node that has joined.
func (r *Registry) CAKey() ([]byte, error) { return r.ca.KeyPEM() }

// Found writes the first principals to a store that is new, and refuses a store of
// another cluster.
func (r *Registry) Found(ctx context.Context, t *Trust) error {
	mine := clusterRecord{t.CA.Cluster(), t.CA.Pin()}
	first, err := t.founders()
	if err != nil {
		return err
	}
	if first != nil {
		ops := []election.Op{put(clusterKey, mine)}
		for name, p := range first.Principals {
			p.Created = first.Now
			ops = append(ops, put(principalPrefix+name, p))
		}
		result, err := r.store.Txn(ctx, election.Txn{If: []election.Compare{election.Absent(clusterKey)}, Then: ops})
		if err != nil || result.OK {
			return err
		}
	}
	page, err := r.store.Range(ctx, election.Span{Keys: election.Key(clusterKey)})
	if err != nil {
		return err
	}
	if len(page.Entries) == 0 {
		return errors.New("the store is of no cluster yet: start the control node that \"tow init\" was run on first")
	}
	var theirs clusterRecord
	if err := json.Unmarshal(page.Entries[0].Value, &theirs); err != nil {
		return fmt.Errorf("%s in the store: %w", clusterKey, err)
	}
	if theirs != mine {
		return fmt.Errorf("the store is of the cluster %s with the CA %s, and this node's trust is of %s with the CA %s: use the folder or the store of one cluster",
			theirs.Cluster, theirs.Pin, mine.Cluster, mine.Pin)
	}
	return nil
}

// Run keeps the registry until the context ends. Its caller owns the goroutine.
func (r *Registry) Run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	defer r.forget()
	for ctx.Err() == nil {
		revision, err := r.refresh(ctx)
		if err == nil {
			err = r.follow(ctx, revision, tick.C)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		r.log.Warn("the principals cannot be read", "error", err)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// follow reads the principals again whenever they have changed, and at every tick,
// which shows that the store is there.
func (r *Registry) follow(ctx context.Context, revision int64, tick <-chan time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := r.store.Watch(ctx, election.Prefix(principalPrefix), revision+1)
	for {
		select {
		case batch, ok := <-changes:
			if !ok || batch.Err != nil {
				return batch.Err
			}
			if len(batch.Events) == 0 {
				continue
			}
		case <-tick:
		}
		if _, err := r.refresh(ctx); err != nil {
			return err
		}
	}
}

// refresh reads all principals.
func (r *Registry) refresh(ctx context.Context) (int64, error) {
	sent := time.Now()
	ctx, cancel := context.WithTimeout(ctx, staleAfter/2)
	defer cancel()
	page, err := r.store.Range(ctx, election.Span{Keys: election.Prefix(principalPrefix)})
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if page.Revision < r.revision {
		return r.revision, nil // another call has read a later state
	}
	byName, byToken := make(map[string]*entry, len(page.Entries)), map[string]*entry{}
	for _, e := range page.Entries {
		name := strings.TrimPrefix(e.Key, principalPrefix)
		known := r.byName[name]
		if known == nil || known.modified != e.Modified {
			known = &entry{name: name, modified: e.Modified}
			if err := json.Unmarshal(e.Value, &known.record); err != nil {
				r.log.Error("a principal cannot be read, and is refused", "name", name, "error", err)
				continue
			}
			if known.Expires == 0 {
				known.ctx, known.end = context.WithCancel(context.Background())
			} else {
				known.ctx, known.end = context.WithDeadline(context.Background(), time.Unix(known.Expires, 0))
			}
		}
		byName[name] = known
		if known.Token != "" {
			byToken[known.Token] = known
		}
	}
	for name, old := range r.byName {
		if byName[name] != old {
			old.end()
		}
	}
	if r.revision == 0 {
		close(r.ready)
	}
	r.revision, r.byName, r.byToken = page.Revision, byName, byToken
	r.fresh = sent.Add(staleAfter)
	return page.Revision, nil
}

// forget ends what entries hold.
func (r *Registry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.byName {
		e.end()
	}
	r.byName, r.byToken, r.fresh = nil, nil, time.Time{}
}

// Ready waits until the registry has read the store.
func (r *Registry) Ready(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Fresh reports whether the registry has heard of the store lately.
func (r *Registry) Fresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.fresh)
}

// Authenticate tells who asks: by a certificate, if one was shown, and else by the
// header Authorization. The chain was verified by the CA.
func (r *Registry) Authenticate(chain []*x509.Certificate, authorization string) (*Known, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !time.Now().Before(r.fresh) {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("this control node has not reached the store of late, and does not know who may ask; ask another one"))
	}
	if len(chain) > 0 {
		e, err := r.ofCertificate(chain[0])
		return e.known("certificate"), err
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, unknown("neither a certificate nor a token was shown")
	}
	// Finding the hash takes a time that tells of the hash alone.
	e := r.byToken[hashOf([]byte(strings.TrimSpace(token)))]
	if e == nil || e.ctx.Err() != nil {
		return nil, unknown("the token is of nobody, or was revoked, or has expired")
	}
	return e.known("token"), nil
}

// ofCertificate finds whom a certificate is for. The name alone would let a revoked
// node's certificate pass once another node has taken its name. r.mu is held.
func (r *Registry) ofCertificate(c *x509.Certificate) (*entry, error) {
	p, cluster, err := Identity(c)
	if err != nil {
		return nil, unknown("%v", err)
	}
	e := r.byName[p.Name]
	if cluster != r.ca.Cluster() || e == nil || e.ctx.Err() != nil || e.Key == "" || e.Key != hashOf(c.RawSubjectPublicKeyInfo) || e.Role != p.Role {
		return nil, unknown("the certificate of %s was revoked, or has expired", shorten(p.Name))
	}
	return e, nil
}

func (e *entry) known(credential string) *Known {
	if e == nil {
		return nil
	}
	return &Known{e.principal(e.name), credential, e.ctx}
}

func unknown(format string, args ...any) error {
	return connect.NewError(connect.CodeUnauthenticated, fmt.Errorf(format, args...))
}

// List is all principals, by name.
func (r *Registry) List(ctx context.Context) ([]Principal, error) {
	page, err := r.store.Range(ctx, election.Span{Keys: election.Prefix(principalPrefix)})
	if err != nil {
		return nil, err
	}
	out := make([]Principal, 0, len(page.Entries))
	for _, e := range page.Entries {
		var p record
		if err := json.Unmarshal(e.Value, &p); err != nil {
			return nil, fmt.Errorf("%s in the store: %w", e.Key, err)
		}
		out = append(out, p.principal(strings.TrimPrefix(e.Key, principalPrefix)))
	}
	return out, nil
}

// Lookup is the principal of a name; the zero value if there is none.
func (r *Registry) Lookup(ctx context.Context, name string) (Principal, error) {
	page, err := r.store.Range(ctx, election.Span{Keys: election.Key(principalPrefix + name)})
	if err != nil || len(page.Entries) == 0 {
		return Principal{}, err
	}
	var p record
	if json.Unmarshal(page.Entries[0].Value, &p) != nil {
		return Principal{}, nil // one that cannot be read can still be revoked
	}
	return p.principal(name), nil
}

// Create makes a principal with a bearer token, which is in no other place than the
// answer. Once, if it is not "", is good for one principal a day: see [Registry.once].
func (r *Registry) Create(ctx context.Context, p Principal, by, once string) (token string, err error) {
	if err := CheckName("a principal", p.Name); err != nil {
		return "", err
	}
	if p.Environment != "" {
		if err := CheckName("an environment", p.Environment); err != nil {
			return "", err
		}
	}
	made := record{Role: p.Role, Environment: p.Environment, Created: time.Now().Unix(), CreatedBy: by}
	if !p.Expires.IsZero() {
		if !p.Expires.After(time.Now()) {
			return "", invalid("the principal would have expired at %s already: expected a time to come", p.Expires.UTC().Format(time.RFC3339))
		}
		made.Expires = p.Expires.Unix()
	}
	token = newToken()
	made.Token = hashOf([]byte(token))
	key := principalPrefix + p.Name
	err = r.once(ctx, by, once, "the principal "+p.Name, election.Txn{
		If: []election.Compare{election.Absent(key)}, Then: []election.Op{put(key, made)},
	}, func() error {
		return connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("there is a principal %q already; \"tow principal revoke %s\" ends it", p.Name, p.Name))
	})
	if err != nil {
		return "", err
	}
	r.caughtUp(ctx)
	return token, nil
}

// Revoke ends a principal: here at once, at other control nodes when their watch says
// so. A principal bound to within can only end those of its environment.
func (r *Registry) Revoke(ctx context.Context, name, within string) error {
	key := principalPrefix + name
	for {
		page, err := r.store.Range(ctx, election.Span{Keys: election.Key(key)})
		if err != nil {
			return err
		}
		var p record
		if len(page.Entries) == 1 {
			if err := json.Unmarshal(page.Entries[0].Value, &p); err != nil && within != "" {
				return err // one that cannot be read can still be revoked by who is bound to nothing
			}
		}
		if len(page.Entries) == 0 || within != "" && p.Environment != within {
			return connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no principal %q; \"tow principal list\" shows who there is", shorten(name)))
		}
		last := p.Role == Admin && p.Environment == "" && within == ""
		if last {
			if err := r.otherAdmin(ctx, name); err != nil {
				return err
			}
		}
		result, err := r.store.Txn(ctx, election.Txn{
			If:   []election.Compare{election.ModifiedAt(key, page.Entries[0].Modified)},
			Then: []election.Op{election.Delete(election.Key(key))},
		})
		if err != nil {
			return err
		}
		if result.OK {
			r.caughtUp(ctx)
			return nil
		}
	}
}

// otherAdmin refuses to end the last admin: nobody could make another one.
func (r *Registry) otherAdmin(ctx context.Context, name string) error {
	all, err := r.List(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(p Principal) bool {
		return p.Name != name && p.Role == Admin && p.Environment == "" && p.Expires.IsZero()
	}) {
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("%s is the last admin of all environments that does not expire, and nobody could make another one: make one first", name))
	}
	return nil
}

// caughtUp makes a change count here before it is answered. If the store cannot be
// read now, the watch will do it.
func (r *Registry) caughtUp(ctx context.Context) {
	if _, err := r.refresh(ctx); err != nil {
		r.log.Warn("the principals cannot be read", "error", err)
	}
}

// onceFor is how long an Idempotency-Key counts.
const onceFor = 24 * time.Hour

// once runs a transaction that makes a secret. Sent again under the same key within a
// day it does nothing and says so: the secret was in the first answer, and nothing
// keeps it, so that who did not hear it revokes what was made and makes another.
func (r *Registry) once(ctx context.Context, by, key, what string, txn election.Txn, taken func() error) error {
	if key == "" {
		result, err := r.store.Txn(ctx, txn)
		if err == nil && !result.OK {
			return taken()
		}
		return err
	}
	if len(key) > 255 {
		return invalid("the Idempotency-Key has %d bytes: expected 255 at most", len(key))
	}
	at := oncePrefix + hashOf([]byte(by+"\x00"+key))
	lease, _, err := r.store.Grant(ctx, onceFor)
	if err != nil {
		return err
	}
	txn.If = append(txn.If, election.Absent(at))
	txn.Then = append(txn.Then, election.Put(at, []byte(what), lease))
	txn.Else = []election.Op{election.Get(election.Key(at))}
	result, err := r.store.Txn(ctx, txn)
	if err != nil {
		return err // whether it was done is open, and so the lease is left
	}
	if result.OK {
		return nil
	}
	_ = r.store.Revoke(ctx, lease) // it holds nothing, and ends in a day
	if before := result.Outcomes[0].Entries; len(before) > 0 {
		return connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("this Idempotency-Key has made %s already; its token was in that answer and is not kept: revoke it, and make another under another key", before[0].Value))
	}
	return taken()
}

func put(key string, value any) election.Op { return putOn(key, value, 0) }

func putOn(key string, value any, lease election.LeaseID) election.Op {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the records are plain
	}
	return election.Put(key, text, lease)
}

// newToken makes a bearer token: 256 random bits.
func newToken() string { return "towc_" + randomText(32) }

func randomText(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
