package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/etcd"
	"towpath.dev/internal/testkit/s3"
)

// TestEveryFailureOfS3 backs up and restores while every other request fails in one of the
// ways that there are.
func TestEveryFailureOfS3(t *testing.T) {
	server := s3.Start(t)
	server.Environment(t)
	client := etcd.Start(t, 1).Client(t)
	for name, b := range map[string]s3.Break{
		"internal": s3.Internal, "slow-down": s3.SlowDown, "conflict": s3.Conflict, "cut-before": s3.CutBefore, "cut-request": s3.CutRequest,
		"cut-after": s3.CutAfter, "cut-answer": s3.CutAnswer, "slow": s3.Slow, "silent": s3.Silent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const seed = 5012
			share := 0.5
			if b == s3.Silent { // each of these takes its time
				share = 0.1
			}
			proxy := s3.NewProxy(t, server.Address, s3.Random(seed, map[s3.Break]float64{b: share}))
			transport := &http.Transport{ResponseHeaderTimeout: 500 * time.Millisecond}
			t.Cleanup(transport.CloseIdleConnections)
			store, err := blob.Open(s3.URL(proxy.Address, server.Region, "bucket/failures"), blob.Options{Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			store = blob.Retry(store, blob.Policy{First: time.Millisecond, Most: 10 * time.Millisecond})
			last := keepSome(t, client, Options{Store: store, Cluster: name}, seed)
			restored, err := restoreInto(t, RestoreOptions{Store: store, Cluster: name, Revision: last.revision})
			if err != nil {
				t.Fatal(err)
			}
			if restored.HashKV != last.hash {
				t.Errorf("seed %d: restored as %08x, the cluster had %08x", seed, restored.HashKV, last.hash)
			}
			if proxy.Broken(b) == 0 {
				t.Error("nothing went wrong")
			}
			t.Logf("%d requests passed, %d did not", proxy.Broken(s3.Nothing), proxy.Broken(b))
		})
	}
}

// keepSome makes a base and some log objects, and is what the cluster had at the last.
func keepSome(t *testing.T, client *clientv3.Client, o Options, seed uint64) (last struct {
	revision, compacted int64
	hash                uint32
}) {
	t.Helper()
	o.Source, o.Scratch = Source{client, dialer}, t.TempDir()
	u, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	random := rand.New(rand.NewPCG(seed, 1))
	for range 5 {
		write(t, client, random, 5)
		last = hashNow(t, client)
		if err := f.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// restoreInto restores a member into a folder of the test's.
func restoreInto(t *testing.T, o RestoreOptions) (Restored, error) {
	t.Helper()
	o.DataDir, o.Name, o.Members = filepath.Join(t.TempDir(), "m"), "m", map[string]string{"m": "http://127.0.0.1:1"}
	plan, err := PlanRestore(t.Context(), o)
	if err != nil {
		return Restored{}, err
	}
	return plan.Run(t.Context())
}

// TestS3Refuses: what nothing but a person can change is not tried again, and said clearly.
func TestS3Refuses(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	server := s3.Start(t)
	client := etcd.Start(t, 1).Client(t)
	refused := func(t *testing.T, place string, mentions ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // else it would be tried for ever
		defer cancel()
		_, err := NewUploader(ctx, Options{Source: Source{client, dialer}, Store: openS3(t, server.URL(place)), Cluster: "prod"})
		if !errors.Is(err, blob.ErrRefused) {
			t.Fatalf("expected it to be refused, found %v", err)
		}
		for _, m := range mentions {
			if !strings.Contains(err.Error(), m) {
				t.Errorf("it does not mention %q", m)
			}
		}
		t.Log(err)
	}
	t.Run("secret", func(t *testing.T) {
		server.Environment(t)
		secret := "nobody-should-read-this"
		t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
		refused(t, "bucket/refused", "bucket", "set the secret anew")
		_, err := NewUploader(t.Context(), Options{Source: Source{client, dialer}, Store: openS3(t, server.URL("bucket/refused")), Cluster: "prod"})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is in the error: %v", err)
		}
	})
	t.Run("bucket", func(t *testing.T) {
		server.Environment(t)
		refused(t, "no-such-bucket/refused", "no-such-bucket")
	})
	t.Run("no key", func(t *testing.T) {
		s3.ClearEnvironment(t)
		refused(t, "bucket/refused", "AWS_ACCESS_KEY_ID")
	})
}

// TestEncryptedOverS3: who has the identity restores, who has none or another one is told
// so, and the store has nothing that can be read.
func TestEncryptedOverS3(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	server := s3.Start(t)
	server.Environment(t)
	client := etcd.Start(t, 1).Client(t)
	store := openS3(t, server.URL("bucket/encrypted"))
	var identities [2]*age.X25519Identity
	for i := range identities {
		var err error
		if identities[i], err = age.GenerateX25519Identity(); err != nil {
			t.Fatal(err)
		}
	}
	const secret = "a value that nobody should read"
	for i := range 3 { // of the base
		if _, err := client.Put(t.Context(), fmt.Sprint("secret/", i), secret); err != nil {
			t.Fatal(err)
		}
	}
	last := keepSome(t, client, Options{Store: store, Cluster: "prod", Recipients: []age.Recipient{identities[0].Recipient()}}, 5013)

	objects := 0
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		object, err := store.Get(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if objects++; bytes.Contains(object, []byte(secret)) || bytes.Contains(object, []byte("secret/")) {
			t.Errorf("%s can be read", info.Name)
		}
	}
	if objects < 6 {
		t.Errorf("%d objects", objects)
	}
	restored, err := restoreInto(t, RestoreOptions{Store: store, Cluster: "prod", Identities: []age.Identity{identities[0]}})
	if err != nil || restored.HashKV != last.hash {
		t.Errorf("restored as %08x (%v), the cluster had %08x", restored.HashKV, err, last.hash)
	}
	for want, with := range map[string][]age.Identity{
		"it is encrypted, and no identity was given":            nil,
		"none of the given identities is one of its recipients": {identities[1]},
	} {
		if _, err := restoreInto(t, RestoreOptions{Store: store, Cluster: "prod", Identities: with}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		} else {
			t.Log(err)
		}
	}
}
