package backup

import (
	"strings"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/etcd"
)

// TestKeptNote: a note in the cluster says where its backup is, is written once, and ends by its
// lease alone.
func TestKeptNote(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if where, err := Kept(t.Context(), client); where != "" || err != nil {
		t.Fatalf("before there is one: %q, %v", where, err)
	}
	o := Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Log: testLog(t)}
	if err := sayKeptOnce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if where, err := Kept(t.Context(), client); where != store.String()+" as prod" || err != nil {
		t.Errorf("it is kept in %q, %v", where, err)
	}
	first, err := client.Get(t.Context(), keptPrefix+"prod")
	if err != nil {
		t.Fatal(err)
	}
	if err := sayKeptOnce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	again, err := client.Get(t.Context(), keptPrefix+"prod")
	if err != nil || again.Header.Revision != first.Header.Revision {
		t.Errorf("saying so again made revision %d of %d: %v", again.Header.Revision, first.Header.Revision, err)
	}
	leases, err := client.Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 || again.Kvs[0].Lease != int64(leases.Leases[0].ID) {
		t.Fatalf("there are leases %v: %v", leases, err)
	}
	if _, err := client.Revoke(t.Context(), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	if where, err := Kept(t.Context(), client); where != "" || err != nil {
		t.Errorf("after its lease has ended: %q, %v", where, err)
	}
	o.Cluster = "other"
	if err := sayKeptOnce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if where, _ := Kept(t.Context(), client); !strings.HasSuffix(where, " as other") {
		t.Errorf("anew: %q", where)
	}
}
