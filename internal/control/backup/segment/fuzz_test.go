package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// identity is a fixed one: what is encrypted for it differs with each run, and its place in
// a corpus does not.
const identity = "AGE-SECRET-KEY-184JMZMVQH3E6U0PSL869004Y3U2NYV7R30EU99CSEDNPH02YUVFSZW44VU"

// A kind of object, one that is good, and how all of it is read.
type kind struct {
	name   string
	object []byte
	read   func(object []byte) error
}

// kinds are all kinds of objects, with so many changes or rows.
func kinds(t testing.TB, n int64) []kind {
	t.Helper()
	own, err := age.ParseX25519Identity(identity)
	if err != nil {
		t.Fatal(err)
	}
	log := func(o Options, behind *Dictionary) []byte {
		w := NewWriter(Header{Cluster: "prod", Generation: 3}, o)
		w.Behind(behind)
		for i := range n {
			w.Change(Change{Main: 7 + i/2, Sub: i % 2, Deleted: i%5 == 0, Row: bytes.Repeat([]byte{byte(i)}, int(i))})
			if i%50 == 2 {
				w.Mark(time.UnixMilli(1_700_000_000_000 + i))
				w.Lease(Lease{ID: i, TTL: 60})
			}
		}
		object, _, err := w.Seal()
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	c := NewChunkWriter(Options{})
	for i := range int(n) {
		c.Row([]string{"key", "lease"}[i*2/int(n)], []byte{byte(i)}, bytes.Repeat([]byte{byte(i)}, i))
	}
	chunk, err := c.Seal()
	if err != nil {
		t.Fatal(err)
	}
	d, dictionary, err := NewDictionary(dictionaryContent(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	encrypted := Options{Recipients: []age.Recipient{own.Recipient()}}
	plain, behind := log(Options{}, nil), log(Options{}, d)
	pack, err := Pack([][]byte{plain, behind})
	if err != nil {
		t.Fatal(err)
	}
	return []kind{
		{"log", plain, readLog},
		{"encrypted log", log(encrypted, nil), func(o []byte) error { return readLogWith(o, own) }},
		{"chunk", chunk, readChunk},
		{"pack", pack, readPack},
		{"log behind a dictionary", behind, readLog},
		{"encrypted log behind a dictionary", log(encrypted, d), func(o []byte) error { return readLogWith(o, own) }},
		{"dictionary", dictionary, func(o []byte) error { _, err := OpenDictionary(o); return err }},
	}
}

// dictionaryContent is that of a dictionary that has what good objects have.
func dictionaryContent() (content []byte) {
	for i := range 60 {
		content = append(content, bytes.Repeat([]byte{byte(i)}, i)...)
	}
	return content
}

// findDictionary is made once: which one is asked for a test has to know.
var findDictionary = sync.OnceValues(func() (*Dictionary, error) {
	d, _, err := NewDictionary(dictionaryContent(), Options{})
	return d, err
})

func readLog(object []byte) error { return readLogWith(object) }

func readLogWith(object []byte, identities ...age.Identity) error {
	if _, _, err := ReadHeader(object[:min(len(object), MaxHeader)]); err != nil {
		return err
	}
	r, _, err := Open(object, func(string) (*Dictionary, error) { return findDictionary() }, identities...)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func readChunk(object []byte) error {
	return ReadChunk(object, func(string, []byte, []byte) error { return nil })
}

func readPack(object []byte) error {
	parts, err := ReadIndex(object[:min(len(object), MaxHeader)])
	for _, p := range parts {
		var part []byte
		if part, err = p.Cut(object); err == nil {
			err = readLog(part)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// FuzzDamage changes bytes of good objects, and cuts them: no damage goes unnoticed, and each is
// said to be one.
func FuzzDamage(f *testing.F) {
	all := kinds(f, 200)
	for i, k := range all {
		if err := k.read(k.object); err != nil {
			f.Fatalf("%s: %v", k.name, err)
		}
		for _, at := range []int{0, 8, 11, 20, len(k.object) / 2, len(k.object) - 1} {
			f.Add(uint8(i), uint32(at), []byte{1}, uint32(len(k.object)))
			f.Add(uint8(i), uint32(at), []byte{}, uint32(at))
		}
		f.Add(uint8(i), uint32(8), []byte{0xff, 0xff, 0xff, 0xff}, uint32(len(k.object)))
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, change []byte, length uint32) {
		k := all[int(which)%len(all)]
		object := slices.Clone(k.object[:min(int(length), len(k.object))])
		for i, b := range change {
			if i += int(at) % (len(object) + 1); i < len(object) {
				object[i] ^= b
			}
		}
		if err := k.read(object); bytes.Equal(object, k.object) {
			if err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s of %d bytes, changed at %d by %x, cut at %d: %v", k.name, len(k.object), at, change, len(object), err)
		}
	})
}

// TestEveryBit flips each bit of good objects.
func TestEveryBit(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	for _, k := range kinds(t, 50) {
		for i := range len(k.object) * 8 {
			object := slices.Clone(k.object)
			object[i/8] ^= 1 << (i % 8)
			if err := k.read(object); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s of %d bytes with the bit %d flipped: %v", k.name, len(object), i, err)
			}
		}
		for n := range len(k.object) {
			if err := k.read(k.object[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s of %d bytes, cut at %d: %v", k.name, len(k.object), n, err)
			}
		}
	}
}

// compress is made once, as making it takes long.
var compress = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstd.MinWindowSize))
})

// enclose makes an object of any records whose checksums are right.
func enclose(t *testing.T, magic string, records []byte) []byte {
	t.Helper()
	encoder, err := compress()
	if err != nil {
		t.Fatal(err)
	}
	object, err := seal(magic, &Header{Cluster: "prod", Raw: int64(len(records))}, encoder.EncodeAll(records, nil))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// unenclosed is the records of an object.
func unenclosed(t testing.TB, magic string, object []byte) []byte {
	t.Helper()
	h, at, err := readHeader(magic, object)
	if err != nil {
		t.Fatal(err)
	}
	r, err := unpack(h, object[at:], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	records, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// FuzzRecords reads records that nobody wrote, in objects whose checksums are right.
func FuzzRecords(f *testing.F) {
	for _, k := range kinds(f, 4) {
		switch k.name {
		case "log":
			f.Add(unenclosed(f, logMagic, k.object))
		case "chunk":
			f.Add(unenclosed(f, chunkMagic, k.object))
		}
	}
	f.Add([]byte("p\xff\xff\xff\xff\x01"))
	f.Add(append([]byte("p\x01\x00"), binary.AppendUvarint(nil, 1<<40)...))
	f.Add(append([]byte("r"), binary.AppendUvarint(nil, 1<<40)...))
	f.Fuzz(func(t *testing.T, records []byte) {
		// The header is the test's own, and so is not within a log object.
		if err := readLog(enclose(t, logMagic, records)); !errors.Is(err, ErrDamaged) && !bytes.HasSuffix(records, []byte(`"}`)) {
			t.Errorf("a log object: %v", err)
		}
		if err := readChunk(enclose(t, chunkMagic, records)); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("a chunk: %v", err)
		}
	})
}

// indexed is the beginning of a pack with an index whose checksum is right.
func indexed(index string) []byte {
	pack := append([]byte(packMagic), binary.BigEndian.AppendUint32(nil, uint32(len(index)))...)
	pack = append(pack, index...)
	return binary.BigEndian.AppendUint32(pack, crc32.Checksum([]byte(index), castagnoli))
}

// FuzzIndex reads indexes that nobody wrote, whose checksums are right.
func FuzzIndex(f *testing.F) {
	f.Add(`[{"header":{"cluster":"prod"},"offset":0,"size":3}]`)
	f.Add(`[{"offset":9223372036854775807,"size":9223372036854775807}]`)
	f.Add(`[{"offset":-1,"size":1}]`)
	f.Add(`[{"offset":0,"size":9223372036854775807}]`)
	f.Add(`[{"header":{"dictionary":"../x"},"offset":0,"size":3}]`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, index string) {
		if len(index) > MaxHeader/2 {
			index = strings.ToValidUTF8(index[:MaxHeader/2], "")
		}
		if err := readPack(append(indexed(index), "something"...)); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%v", err)
		}
	})
}
