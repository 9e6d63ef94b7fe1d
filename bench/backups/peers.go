package backups

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/restic/chunker"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
)

// A peer is another way to make backups. What it makes is counted and not kept.
type peer struct {
	name  string
	meter *blob.Meter
}

func newPeer(name string) peer { return peer{name, blob.NewMeter(void{})} }

func (p *peer) create(ctx context.Context, object string, data []byte) error {
	return p.meter.Create(ctx, p.name+"/"+object, data, blob.Standard)
}

// snapshots is what "etcdctl snapshot save" writes, hour by hour: the store's file with its
// hash behind it, not compressed.
type snapshots struct {
	peer
	sizes []int64
}

func (s *snapshots) take(ctx context.Context, snapshot []byte) error {
	s.sizes = append(s.sizes, int64(len(snapshot)))
	return s.create(ctx, fmt.Sprint(len(s.sizes)), snapshot)
}

// chunked keeps snapshots as restic does: in chunks whose borders are where the content says,
// by restic's own package, 1 MiB on average; each once, compressed by zstd at the level that
// it has by default, and several in a pack of 16 MiB. Its index, its trees and what pruning
// costs are left out, which favours it.
type chunked struct {
	peer
	known map[[sha256.Size]byte]bool
	zstd  *zstd.Encoder
	pack  []byte
	packs int
	fresh []int64 // bytes that each snapshot brought, as stored
	all   int     // chunks that were seen
}

// polynomial is what chunks are found by: an irreducible one, chosen for the repository.
const polynomial = chunker.Pol(0x3DA3358B4DC173)

// packSize is the least that restic puts into one object.
const packSize = 16 << 20

func newChunked() (*chunked, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	return &chunked{peer: newPeer("chunks"), known: map[[sha256.Size]byte]bool{}, zstd: encoder}, err
}

func (c *chunked) take(ctx context.Context, snapshot []byte) error {
	pieces, buffer, fresh := chunker.New(bytes.NewReader(snapshot), polynomial), make([]byte, chunker.MaxSize), int64(0)
	for {
		piece, err := pieces.Next(buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		c.all++
		name := sha256.Sum256(piece.Data)
		if c.known[name] {
			continue
		}
		c.known[name] = true
		before := len(c.pack)
		c.pack = c.zstd.EncodeAll(piece.Data, c.pack)
		fresh += int64(len(c.pack) - before)
		if len(c.pack) >= packSize {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
	c.fresh = append(c.fresh, fresh)
	return c.flush(ctx)
}

func (c *chunked) flush(ctx context.Context) error {
	if len(c.pack) == 0 {
		return nil
	}
	c.packs++
	err := c.create(ctx, fmt.Sprint(c.packs), c.pack)
	c.pack = c.pack[:0]
	return err
}

// deltas is the scheme of etcd-backup-restore: a full snapshot once a day, and every period the
// events since, as JSON with the hash behind them; both by gzip, its default. See its
// pkg/snapshot/snapshotter.
type deltas struct {
	peer
	period time.Duration
	until  time.Time // the end of the period
	events []byte
	made   int
}

// deltaEvent is what it writes of each event.
type deltaEvent struct {
	EtcdEvent *clientv3.Event `json:"etcdEvent"`
	Time      time.Time       `json:"time"`
}

func newDeltas(period time.Duration, begins time.Time) *deltas {
	return &deltas{peer: newPeer("deltas-" + period.String()), period: period, until: begins.Add(period)}
}

// take adds an event, which comes in the order of time.
func (d *deltas) take(ctx context.Context, e *clientv3.Event, at time.Time) error {
	if err := d.pass(ctx, at); err != nil {
		return err
	}
	text, err := json.Marshal(deltaEvent{e, at})
	if err != nil {
		return err
	}
	between := byte(',')
	if len(d.events) == 0 {
		between = '['
	}
	d.events = append(append(d.events, between), text...)
	return nil
}

// pass ends the periods that are over.
func (d *deltas) pass(ctx context.Context, to time.Time) error {
	for !to.Before(d.until) {
		d.until = d.until.Add(d.period)
		if len(d.events) == 0 {
			continue
		}
		d.events = append(d.events, ']')
		hash := sha256.Sum256(d.events)
		object, err := zipped(append(d.events, hash[:]...))
		if err != nil {
			return err
		}
		d.made++
		if err := d.create(ctx, fmt.Sprint(d.made), object); err != nil {
			return err
		}
		d.events = d.events[:0]
	}
	return nil
}

// zipped compresses at gzip's default level, which is the peer's.
func zipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}
