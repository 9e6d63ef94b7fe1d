package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/release"
)

// document is a release of tow to an environment, whose executable is a text.
func document(t *testing.T, environment string) (r *release.Release, d release.Digest, text string) {
	t.Helper()
	r, err := release.NewTow(environment, "tow 1", "linux/amd64", release.Range{Min: 1, Max: 1}, release.PartOf([]byte("an executable")))
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return r, release.DigestOf(data), string(data)
}

func newKey(t *testing.T) *release.Signer {
	t.Helper()
	key, err := release.GenerateKey(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signatureOf(t *testing.T, r *release.Release, by *release.Signer) string {
	t.Helper()
	e, err := release.Sign(r, by)
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, e)
}

func textOf(t *testing.T, e *release.Envelope) string {
	t.Helper()
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestObjectsAreOfAnEnvironment: who is bound to one puts, signs and reads no releases of another.
func TestObjectsAreOfAnEnvironment(t *testing.T) {
	h := open(t, false, withObjects(t, nil))
	prod, d, text := document(t, "prod")
	key := newKey(t)
	release, signatures := "/objects/release/"+string(d), "/objects/signatures/"+string(d)
	mine := h.principal(t, "ann", v1.Role_ROLE_DEPLOYER, "prod")
	theirs := h.principal(t, "bob", v1.Role_ROLE_DEPLOYER, "test")
	want := func(c *client.Control, method, path, body string, status int, says string) {
		t.Helper()
		if got, said := do(t, c, method, path, body); got != status || !strings.Contains(said, says) {
			t.Errorf("%s %s: %d %s; want %d %q", method, path, got, said, status, says)
		}
	}
	want(mine, "PUT", signatures, signatureOf(t, prod, key), http.StatusConflict, "is not here, and cannot be signed: put it first")
	want(theirs, "PUT", release, text, http.StatusForbidden, `bob is bound to the environment test, and this is of "prod"`)
	want(mine, "PUT", release, text, http.StatusNoContent, "")
	want(theirs, "GET", release, "", http.StatusForbidden, "bob is bound")
	want(theirs, "GET", signatures, "", http.StatusForbidden, "bob is bound")
	want(theirs, "PUT", signatures, signatureOf(t, prod, key), http.StatusForbidden, "bob is bound")
	_, err := theirs.Deploy.GetObject(t.Context(), &v1.GetObjectRequest{Kind: "release", Digest: string(d)})
	wantCode(t, "GetObject", err, connect.CodePermissionDenied)
	want(mine, "GET", signatures, "", http.StatusOK, "")
	want(mine, "PUT", signatures, signatureOf(t, prod, key), http.StatusNoContent, "")
	want(mine, "PUT", signatures, signatureOf(t, prod, key), http.StatusNoContent, "")
	want(h.principal(t, "all", v1.Role_ROLE_READER, ""), "GET", signatures, "", http.StatusOK, string(key.KeyID()))

	// The audit log says what became of it.
	denied := 0
	events, err := h.audit.Newest(100, func(e *access.Event) bool { return e.Principal == "bob" })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Outcome == connect.CodePermissionDenied.String() {
			denied++
		}
	}
	if denied != 5 {
		t.Errorf("the audit log has %d refusals; expected 5: %v", denied, events)
	}
}

// TestAdmissionsAreOfAnEnvironment: who is bound to one sees the trust policy, and what was let in there.
func TestAdmissionsAreOfAnEnvironment(t *testing.T) {
	h := open(t, false, withObjects(t, nil))
	mine := h.principal(t, "ann", v1.Role_ROLE_READER, "prod")
	for environment, code := range map[string]connect.Code{"": 0, "prod": 0, "test": connect.CodePermissionDenied} {
		_, err := mine.Deploy.GetPolicy(t.Context(), &v1.GetPolicyRequest{Environment: environment})
		if code == 0 && err != nil {
			t.Errorf("of %q: %v", environment, err)
		} else if code != 0 {
			wantCode(t, environment, err, code)
		}
	}
}

// TestBadSignaturesAreRefused: by the policy's key where there is one, else by the one that
// came with it.
func TestBadSignaturesAreRefused(t *testing.T) {
	var objects *release.Objects
	h := open(t, false, withObjects(t, &objects))
	prod, d, text := document(t, "prod")
	admin, ci, root := h.admin(t), newKey(t), newKey(t)
	if status, said := do(t, admin, "PUT", "/objects/release/"+string(d), text); status != http.StatusNoContent {
		t.Fatal(status, said)
	}
	good, err := release.DecodeEnvelope([]byte(signatureOf(t, prod, ci)))
	if err != nil {
		t.Fatal(err)
	}
	bad := *good
	bad.Signatures = []release.Signature{{KeyID: ci.KeyID(), Sig: make([]byte, 64)}}
	refused := func(says string) {
		t.Helper()
		if status, said := do(t, admin, "PUT", "/objects/signatures/"+string(d), textOf(t, &bad)); status != http.StatusBadRequest || !strings.Contains(said, says) {
			t.Errorf("%d %s; want that it says %q", status, said, says)
		}
	}
	refused("the trust policy does not have the key, and it did not come with it")
	policy, err := release.SignPolicy(&release.Policy{
		Format: release.Format, Version: 1, Need: 1, ABI: release.Range{Min: 1, Max: 1}, Roots: release.Roots{Keys: []release.PublicKey{root.Public()}, Threshold: 1},
		Keys: []release.Key{{Key: ci.Public(), Name: "ci", Status: release.Active, Programs: []string{"*"}, Environments: []string{"*"}}},
	}, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Deploy.SetPolicy(t.Context(), &v1.SetPolicyRequest{Policy: []byte(textOf(t, policy))}); err != nil {
		t.Fatal(err)
	}
	refused("the key has not made it")
	if all, err := objects.Signatures(t.Context(), d); err != nil || len(all) != 0 {
		t.Errorf("kept: %v, %v", all, err)
	}
}

// TestObjectsAreBounded: none is read that is larger than its kind may be, or than a message.
func TestObjectsAreBounded(t *testing.T) {
	var objects *release.Objects
	h := open(t, false, func(o *api.Options) { withObjects(t, &objects)(o); o.MaxBody = 1 << 10 })
	admin := h.admin(t)
	large := strings.Repeat("x", release.MaxRelease+1)
	d := release.DigestOf([]byte(large))
	if status, said := do(t, admin, "PUT", "/objects/release/"+string(d), large); status != http.StatusRequestEntityTooLarge || !strings.Contains(said, "larger than 65536 bytes") {
		t.Errorf("%d %s", status, said)
	}
	if _, err := objects.Put(t.Context(), release.KindExecutable, []byte(large)); err != nil {
		t.Fatal(err)
	}
	_, err := admin.Deploy.GetObject(t.Context(), &v1.GetObjectRequest{Kind: "executable", Digest: string(d)})
	wantCode(t, "a message that is too large", err, connect.CodeResourceExhausted)
	if status, said := do(t, admin, "GET", "/objects/executable/"+string(d), ""); status != http.StatusOK || said != large {
		t.Errorf("%d, %d bytes", status, len(said))
	}
}

// TestWhoseErrorItIs: that the store cannot be asked is not said to be the release's fault, nor
// that of others who write.
func TestWhoseErrorItIs(t *testing.T) {
	store := blobtest.Faulty(blobtest.NewMemory(), nil)
	h := open(t, false, func(o *api.Options) {
		o.Deployments = &api.Deployments{Objects: release.NewObjects(store), Events: store, Hub: api.NewHub()}
	})
	admin := h.admin(t)
	_, d, text := document(t, "prod")
	create := func() error {
		_, err := admin.Deploy.CreateDeployment(t.Context(), &v1.CreateDeploymentRequest{Program: release.Tow, Environment: "prod", Release: string(d), Request: "1"})
		return err
	}
	wantCode(t, "a release that is not there", create(), connect.CodeFailedPrecondition)
	for path, body := range map[string]string{"release/" + string(d): text, "executable/" + string(release.DigestOf([]byte("an executable"))): "an executable"} {
		if status, said := do(t, admin, "PUT", "/objects/"+path, body); status != http.StatusNoContent {
			t.Fatal(status, said)
		}
	}
	down := errors.New("no route to host")
	for name, op := range map[string]blobtest.Operation{"reading": blobtest.Get, "looking": blobtest.Head, "listing": blobtest.List} {
		store.SetPlan(blobtest.On(op, blobtest.Fault{Before: down}))
		err := create()
		wantCode(t, name, err, connect.CodeUnavailable)
		if err != nil && (!strings.Contains(err.Error(), "the store of objects cannot be asked") || strings.Contains(err.Error(), "others write")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	store.SetPlan(nil)
	if err := create(); err != nil {
		t.Error(err)
	}
}

// TestPoliciesThatCannotBeKept: of two of one version the second is refused, and a store that cannot
// be asked is said to be that.
func TestPoliciesThatCannotBeKept(t *testing.T) {
	store := blobtest.Faulty(blobtest.NewMemory(), nil)
	objects := release.NewObjects(store)
	h := open(t, false, func(o *api.Options) {
		o.Deployments = &api.Deployments{Objects: objects, Events: store, Hub: api.NewHub()}
	})
	root := newKey(t)
	policy := func(abi release.Range) *release.Envelope {
		t.Helper()
		e, err := release.SignPolicy(&release.Policy{
			Format: release.Format, Version: 1, Need: 1, ABI: abi, Roots: release.Roots{Keys: []release.PublicKey{root.Public()}, Threshold: 1},
		}, root)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	set := func() error {
		_, err := h.admin(t).Deploy.SetPolicy(t.Context(), &v1.SetPolicyRequest{Policy: []byte(textOf(t, policy(release.Range{Min: 1, Max: 1})))})
		return err
	}
	store.SetPlan(blobtest.On(blobtest.Create, blobtest.Fault{Before: errors.New("no route to host")}))
	wantCode(t, "a store that cannot be asked", set(), connect.CodeUnavailable)
	store.SetPlan(nil)
	other, err := release.ReadPolicy([]byte(textOf(t, policy(release.Range{Min: 1, Max: 2}))))
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.PutPolicy(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	err = set()
	wantCode(t, "another of the version", err, connect.CodeFailedPrecondition)
	if err == nil || !strings.Contains(err.Error(), "sign a version after 1") {
		t.Errorf("it says %v", err)
	}
}

// TestFreezesOfAnEnvironment: who is bound to one sees the freezes of it, and of all.
func TestFreezesOfAnEnvironment(t *testing.T) {
	h := open(t, false, withObjects(t, nil))
	for _, environment := range []string{"", "prod", "test"} {
		if _, err := h.admin(t).Deploy.SetFreeze(t.Context(), &v1.SetFreezeRequest{Freeze: &v1.Freeze{Environment: environment, Why: "in " + environment}, Anyway: true}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := h.principal(t, "ann", v1.Role_ROLE_READER, "prod").Deploy.ListFreezes(t.Context(), &v1.ListFreezesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var whys []string
	for _, f := range r.GetFreezes() {
		whys = append(whys, f.GetWhy())
	}
	if got := strings.Join(whys, ", "); got != "in , in prod" {
		t.Errorf("it sees %q", got)
	}
}
