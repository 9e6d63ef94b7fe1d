package cost

import (
	"math"
	"time"
)

// Sizes at which the other ways cut what they upload.
const (
	part      = 128 << 20 // of a multipart upload of a snapshot; a larger part than tools have by default
	smallPart = 5 << 20   // of etcd-backup-restore's
	chunk     = 1 << 20   // of restic, on average
	pack      = 16 << 20  // of restic, at the least
)

// multipart is the requests of an upload: one if it fits into a part; else its beginning, its
// parts and its end.
func multipart(bytes, part float64) float64 {
	if bytes <= part {
		return 1
	}
	return 2 + math.Ceil(bytes/part)
}

// full is the usage of whole snapshots, one each step, as "etcdctl snapshot save" writes
// them: the store's file, not compressed. For as long as any minute or hours are kept all of
// them are, then one a day.
func full(shape Shape, schedule Schedule, step time.Duration) Usage {
	keep, size := schedule.Keep, float64(shape.DB)
	dense, hours := keep.Any, max(keep.Any, keep.Hours)
	if step >= time.Hour {
		dense = 0 // there is none for each minute
	}
	kept := float64(dense)/float64(step) + (hours - dense).Hours() + days(keep.Reach()-hours)
	n := float64(Month) / float64(step)
	var u Usage
	u.Standard = ClassUsage{ByteMonths: max(kept, 1) * size, Puts: n * multipart(size, part)}
	return u
}

// chunked is the usage of hourly snapshots that are cut into chunks of 1 MiB by content, of
// which each is stored once, compressed, as restic does.
//
// A chunk has m = 1 MiB/(bytes of the file)·n of the file's n rows. Of k rows that were
// written since the last snapshot, all as likely, none is in it with a probability of
// (1 − m/n)^k; so a share of
//
//	1 − (1 − m/n)^k
//
// of all chunks is new. That B-trees move what was not written, that the store frees and
// takes pages, and that a repository is listed, locked and pruned is left out, which favours it.
func chunked(shape Shape, schedule Schedule) Usage {
	keep, stored := schedule.Keep, float64(shape.DB)/shape.BaseRatio
	fresh := func(hours float64) float64 {
		share := min(1, chunk/float64(shape.DB))
		return 1 - math.Pow(1-share, shape.writes(hours))
	}
	hours := max(keep.Any, keep.Hours)
	kept := stored * (1 + hours.Hours()*fresh(1) + days(keep.Reach()-hours)*fresh(24))
	perRun := math.Ceil(stored*fresh(1)/pack) + 2 // its index and its snapshot
	var u Usage
	u.Standard = ClassUsage{ByteMonths: kept, Puts: 30 * 24 * perRun}
	return u
}

// The scheme of Gardener's etcd-backup-restore: a full snapshot a day, and between them deltas, the
// events of a period as JSON. By its documentation (docs/usage/garbage_collection.md), its
// flags (pkg/types/snapshotter.go) and its S3 store (pkg/snapstore/s3_snapstore.go):
//
//   - etcd-druid's example has a full snapshot every 24 h, deltas every 5 min, the policy Exponential
//     and a collection of garbage every 12 h; that is "default" here. (The tool's own flags are an
//     hour, 20 s and a minute.)
//   - Exponential keeps of full snapshots the last of each of seven days and four weeks;
//     delta-snapshot-retention-period is 0, so only deltas behind the newest full snapshot stay.
//   - compression is gzip where it is on, which is taken for granted, and as good as zstd.
//   - every object, the smallest too, is a multipart upload: its beginning, parts of 5 MiB, its end.
//   - a period without an event has no delta.
const (
	gardenerFull    = 24 * time.Hour
	gardenerGarbage = 12 * time.Hour
	gardenerFulls   = 1 + 7 + 4
	// gardenerGrowth is the bytes of a delta for one of ours: keys and values are base64 in JSON, which
	// is 4/3 of them, and hides from gzip that they repeat.
	gardenerGrowth = 1.5
)

// gardener is the usage of that scheme, with deltas every period that are kept for some days, as
// are so many full snapshots.
func gardener(shape Shape, period time.Duration, deltaDays, fulls float64) Usage {
	stored := float64(shape.DB) / shape.BaseRatio
	uploads := func(n, bytes float64) float64 {
		if n == 0 {
			return 0
		}
		return n * (2 + math.Ceil(bytes/n/smallPart))
	}
	deltas := float64(Month) / float64(period) * shape.busyIn(period)
	bytes := shape.Change * 24 * 30 / shape.LogRatio * gardenerGrowth
	if bytes == 0 {
		deltas = 0
	}
	n := float64(Month) / float64(gardenerFull)
	objects := fulls + deltas*deltaDays/30
	var u Usage
	u.Standard = ClassUsage{
		ByteMonths: fulls*stored + bytes*deltaDays/30,
		Puts:       uploads(n, n*stored) + uploads(deltas, bytes),
		Lists:      float64(Month) / float64(gardenerGarbage) * math.Ceil(objects/listPage),
	}
	return u
}

// gardenerDefault keeps deltas until garbage is collected behind the next full snapshot: on
// average half a day of the newest ones, and a day of those before for the 6 h until they are
// collected, which is a quarter of a day of them at any time.
func gardenerDefault(shape Shape) Usage {
	return gardener(shape, 5*time.Minute, 0.5+days(gardenerGarbage)/2, gardenerFulls)
}

// gardenerLikeOurs loses as little as ours and restores to as much: deltas are kept while any
// minute or hours are, and full snapshots for all of the time.
func gardenerLikeOurs(shape Shape, schedule Schedule) Usage {
	keep := schedule.Keep
	return gardener(shape, schedule.Every, days(max(keep.Any, keep.Hours, gardenerFull)), max(1, days(keep.Reach())))
}
