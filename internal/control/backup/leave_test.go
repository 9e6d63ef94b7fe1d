package backup

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/testkit/etcd"
)

// TestLeave: an uploader that is told to stop has uploaded what it knew of before it does.
func TestLeave(t *testing.T) {
	for name, run := range everyRun {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := etcd.Start(t, 1).Client(t)
			store := openFolder(t, t.TempDir())
			o := Options{
				Source: Source{client, dialer}, Store: store, Cluster: "prod", Every: time.Hour, Scratch: t.TempDir(), Log: testLog(t),
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, o) }()
			kept := func() int64 {
				c, err := newShelf(store, place{"prod", 0}).load(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return c.Durable().Revision
			}
			await(t, func() bool { return kept() > 0 })
			write(t, client, rand.New(rand.NewPCG(1128, 1)), 20)
			answer, err := client.Put(t.Context(), "last", "one")
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			<-ended
			if got := kept(); got < answer.Header.Revision {
				t.Errorf("revision %d was written before the uploader was told to stop, and it kept up to %d", answer.Header.Revision, got)
			}
		})
	}
}
