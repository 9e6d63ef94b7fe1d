package backup

import (
	"context"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/cost"
)

// Shape is what a cluster's backup says that its backup costs by.
func Shape(ctx context.Context, store blob.Store, cluster string, now time.Time) (cost.Shape, error) {
	latest, err := (&generations{store, cluster}).progress(ctx)
	if err != nil {
		return cost.Shape{}, err
	}
	for g := int64(latest.Number); g >= 0; g-- {
		s := newShelf(store, place{cluster, uint64(g)})
		c, err := s.load(ctx)
		if err != nil {
			return cost.Shape{}, err
		}
		if len(c.Bases) == 0 {
			continue
		}
		shape, err := cost.ShapeOf(c, now)
		if err != nil {
			return shape, err
		}
		newest, _ := c.Newest()
		m, err := s.manifest(ctx, newest.Folder())
		if err != nil {
			return shape, err
		}
		shape.DB, shape.Rows = max(m.File, shape.InUse), m.Rows
		return shape, nil
	}
	return cost.Shape{}, noBackup(store, cluster)
}
