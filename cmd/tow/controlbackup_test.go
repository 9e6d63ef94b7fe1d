//go:build !solo

package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/backup"
)

// overwriting is a store that takes no heed of what is there.
type overwriting struct{ blob.Store }

func (s overwriting) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	if err := s.Delete(ctx, name); err != nil {
		return err
	}
	return s.Store.Create(ctx, name, data, class)
}

// TestBackupIsNotKeptInAnyStore: a control node waits for a store that cannot be reached, and
// uploads nothing to one that overwrites.
func TestBackupIsNotKeptInAnyStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := 3
		memory := blobtest.NewMemory()
		store := blobtest.Faulty(overwriting{memory}, func(blobtest.Call) blobtest.Fault {
			if failing--; failing >= 0 {
				return blobtest.Fault{Before: blobtest.ErrUnreached}
			}
			return blobtest.Fault{}
		})
		var told bytes.Buffer
		p := &controlPlane{
			log:    slog.New(slog.NewTextHandler(&told, nil)),
			backup: &backup.Options{Store: store, Cluster: "prod", Metrics: backup.NewMetrics()},
		}
		p.keepBackup(t.Context(), &theStore{})
		if n := strings.Count(told.String(), "trying again"); n != 3 {
			t.Errorf("it tried again %d times; want 3: %s", n, told.String())
		}
		if !strings.Contains(told.String(), "no backup is kept, as its store is not what it has to be") || !strings.Contains(told.String(), "this store overwrites") {
			t.Errorf("it told %s", told.String())
		}
		for info, err := range memory.List(t.Context(), "", "") {
			t.Errorf("it left %v, %v", info.Name, err)
		}
	})
}
