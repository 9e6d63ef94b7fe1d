package backup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A Manifest describes a base: all of a store at one revision.
type Manifest struct {
	Cluster    string `json:"cluster"`
	Generation uint64 `json:"generation"`
	Member     string `json:"member"`  // whose snapshot it was
	Version    string `json:"version"` // of etcd: of its data, or before 3.6 of the member; older manifests have none then
	Revision   int64  `json:"revision"`
	// Compacted is from which revision on history is in it.
	Compacted int64     `json:"compacted"`
	HashKV    uint32    `json:"hashKV"` // at its revision, compacted at Compacted
	Time      time.Time `json:"time"`   // by when its revision had been
	// AuthRevision is etcd's of its users and roles, which the log does not have.
	AuthRevision uint64 `json:"authRevision"`
	Rows         int64  `json:"rows"`
	Raw          int64  `json:"raw"`  // bytes of the rows
	Size         int64  `json:"size"` // bytes as stored
	File         int64  `json:"file"` // bytes of the snapshot that it was made of
	Encrypted    bool   `json:"encrypted,omitempty"`
	// Recipients are who can read it, as age's tools write them, where it is encrypted and
	// they can be written: those before did not say.
	Recipients []string `json:"recipients,omitempty"`
	Chunks     []Chunk  `json:"chunks"`

	folder string // that it is in
}

// entry is what a catalog has of a base.
func (m Manifest) entry() catalog.Base {
	return catalog.Base{Revision: m.Revision, Compacted: m.Compacted, Time: m.Time, Size: m.Size, Raw: m.Raw, Name: m.folder}
}

// A Chunk is a part of a base, an object of its own. Chunks follow each other.
type Chunk struct {
	SHA256 string `json:"sha256"` // of the object, and its name
	Size   int64  `json:"size"`
	Raw    int64  `json:"raw"`
}

// chunkSize is how many bytes of rows a chunk has: what a reader holds in memory, several
// times over.
const chunkSize = 32 << 20

// baser makes a base.
type baser struct {
	place    place
	store    blob.Store
	class    func(size int64) blob.Class
	segments segment.Options
	scratch  string // folder for the snapshot
	client   *clientv3.Client
	dial     func(endpoint string) (*clientv3.Client, error)
	same     func(*etcdserverpb.ResponseHeader) error
	now      func() time.Time

	sample *sampler
}

// take makes a base of the state that one member has: a follower, if there is one.
func (b *baser) take(ctx context.Context) (Manifest, error) {
	m := Manifest{Cluster: b.place.cluster, Generation: b.place.generation, Encrypted: len(b.segments.Recipients) > 0, Recipients: recipientTexts(b.segments.Recipients)}
	endpoint, err := follower(ctx, b.client)
	if err != nil {
		return m, err
	}
	m.Member = endpoint
	file, err := b.snapshot(ctx, endpoint, &m)
	if err != nil {
		if errors.Is(rpctypes.Error(err), rpctypes.ErrPermissionDenied) {
			err = fmt.Errorf("%w: only users with the role root may read all of a store; name one with --user", err)
		}
		return m, fmt.Errorf("a snapshot of %s: %w", endpoint, err)
	}
	defer os.Remove(file)
	// A cluster that has been replaced does not come back, so it was the same before as well.
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	status, err := b.client.Status(asking, endpoint)
	if err == nil {
		err = b.same(status.Header)
	}
	if err != nil {
		return m, fmt.Errorf("whose snapshot it was that %s sent: %w", endpoint, err)
	}
	m.Version = cmp.Or(m.Version, status.Version)
	db, err := bolt.Open(file, 0o400, &bolt.Options{ReadOnly: true})
	if err != nil {
		return m, fmt.Errorf("the snapshot of %s is no store of etcd's: %w", endpoint, err)
	}
	defer db.Close()
	if err := describe(db, &m); err != nil {
		return m, fmt.Errorf("the snapshot of %s: %w", endpoint, err)
	}
	m.folder = newFolder(m.Revision)
	b.sample = newSampler(m.File)
	if err := b.upload(ctx, db, &m); err != nil {
		return m, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	err = b.store.Create(ctx, b.place.manifest(m.folder), text, blob.Standard)
	if errors.Is(err, blob.ErrExists) {
		err = nil // nobody else has this folder: an attempt whose answer was lost had succeeded
	}
	return m, err
}

// follower is an endpoint of a member that answers and does not lead; the leader's if it is
// alone.
func follower(ctx context.Context, client *clientv3.Client) (string, error) {
	var leader string
	var faults []error
	for _, endpoint := range client.Endpoints() {
		asking, cancel := context.WithTimeout(ctx, answerTime)
		status, err := client.Status(asking, endpoint)
		cancel()
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", endpoint, err))
		case status.IsLearner:
		case status.Leader == status.Header.MemberId:
			leader = endpoint
		default:
			return endpoint, nil
		}
	}
	if leader == "" {
		return "", fmt.Errorf("no member of etcd answers: %w", errors.Join(faults...))
	}
	return leader, nil
}

// snapshot reads a member's file to a file of ours, and checks it by the hash that follows
// it. It takes from etcd what a new member would.
func (b *baser) snapshot(ctx context.Context, endpoint string, m *Manifest) (_ string, err error) {
	client, err := b.dial(endpoint)
	if err != nil {
		return "", err
	}
	defer client.Close()
	answer, err := client.SnapshotWithVersion(ctx)
	if err != nil {
		return "", err
	}
	defer answer.Snapshot.Close()
	m.Version = answer.Version
	f, err := os.CreateTemp(b.scratch, "snapshot-*.db")
	if err != nil {
		return "", fmt.Errorf("%w; name a folder with room for the store with --scratch", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	n, err := io.Copy(f, answer.Snapshot)
	if err != nil {
		return "", err
	}
	m.File, m.Time = n-sha256.Size, b.now().UTC()
	if n%512 != sha256.Size {
		return "", fmt.Errorf("expected a file and its hash behind it, found %d bytes", n)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	sum, want := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.Copy(sum, io.LimitReader(f, m.File)); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(f, want); err != nil {
		return "", err
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want) {
		return "", fmt.Errorf("it was damaged on its way: expected the hash %x, found %x", want, got)
	}
	return f.Name(), f.Truncate(m.File)
}

// describe says which revision a file is at.
func describe(db *bolt.DB, m *Manifest) error {
	err := db.View(func(tx *bolt.Tx) error {
		if auth := tx.Bucket([]byte("auth")); auth != nil {
			if v := auth.Get([]byte("authRevision")); len(v) == 8 {
				m.AuthRevision = binary.BigEndian.Uint64(v)
			}
		}
		if meta := tx.Bucket([]byte(metaBucket)); meta != nil {
			// The scheduled one may be under way.
			for _, key := range []string{"finishedCompactRev", "scheduledCompactRev"} {
				if v := meta.Get([]byte(key)); v != nil {
					c, err := parseRevision(v)
					if err != nil {
						return err
					}
					m.Compacted = max(m.Compacted, c.Main)
				}
			}
		}
		m.Revision = max(m.Compacted, 1)
		if rows := tx.Bucket(keyBucket); rows != nil {
			if k, _ := rows.Cursor().Last(); k != nil {
				c, err := parseRevision(k)
				if err != nil {
					return err
				}
				m.Revision = max(m.Revision, c.Main)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.HashKV, err = hashKV(db, m.Compacted, m.Revision)
	return err
}

// upload writes a file's rows as chunks, two at a time.
func (b *baser) upload(ctx context.Context, db *bolt.DB, m *Manifest) error {
	sealing, ctx := errgroup.WithContext(ctx)
	sealing.SetLimit(2)
	seal := func(w *segment.ChunkWriter, at int) {
		sealing.Go(func() error {
			object, err := w.Seal()
			if err != nil {
				return err
			}
			sum := sha256.Sum256(object)
			c := &m.Chunks[at]
			c.SHA256, c.Size = hex.EncodeToString(sum[:]), int64(len(object))
			err = b.store.Create(ctx, b.place.chunk(m.folder, c.SHA256), object, b.class(c.Size))
			if errors.Is(err, blob.ErrExists) {
				return nil // its name is its content
			}
			return err
		})
	}
	// The manifest's slice has its length before anything writes to it.
	m.Chunks = make([]Chunk, chunksOf(db))
	at, w := 0, segment.NewChunkWriter(b.segments)
	err := eachRow(db, func(bucket string, k, v []byte) error {
		w.Row(bucket, k, v)
		if bucket == string(keyBucket) {
			b.sample.row(v)
		}
		m.Rows++
		if w.Raw() < chunkSize {
			return nil
		}
		m.Chunks[at].Raw = w.Raw()
		seal(w, at)
		at, w = at+1, segment.NewChunkWriter(b.segments)
		return ctx.Err()
	})
	if err == nil && (w.Raw() > 0 || at == 0) {
		m.Chunks[at].Raw = w.Raw()
		seal(w, at)
		at++
	}
	err = errors.Join(err, sealing.Wait())
	m.Chunks = m.Chunks[:at]
	for _, c := range m.Chunks {
		m.Raw, m.Size = m.Raw+c.Raw, m.Size+c.Size
	}
	return err
}

// chunksOf is how many chunks a file may need, or more.
func chunksOf(db *bolt.DB) int {
	var size int64
	_ = db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	return int(size/chunkSize) + 2
}

// eachRow visits all rows of a file, bucket by bucket.
func eachRow(db *bolt.DB, visit func(bucket string, k, v []byte) error) error {
	return db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error { return visit(string(name), k, v) })
		})
	})
}

// readManifest reads that of the base in a folder.
func readManifest(ctx context.Context, store blob.Store, at place, folder string) (m Manifest, err error) {
	name := at.manifest(folder)
	text, err := store.Get(ctx, name)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w: %w", name, segment.ErrDamaged, err)
	}
	if revision, err := folderRevision(folder); err != nil || m.Revision != revision || m.Cluster != at.cluster || m.Generation != at.generation {
		return m, fmt.Errorf("%s: %w: it says that it is of revision %d of %s, generation %d", name, segment.ErrDamaged, m.Revision, m.Cluster, m.Generation)
	}
	m.folder = folder
	return m, nil
}
