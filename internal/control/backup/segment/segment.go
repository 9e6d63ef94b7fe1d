// Package segment is the format of what a backup keeps in object storage: log objects,
// which hold the changes of consecutive revisions, and chunks, which hold the rows of a
// whole store.
//
// A log object is a header in the clear, so that who cannot decrypt may still learn
// what it covers, and a payload: compressed, and encrypted if there are recipients.
//
//	"TOWLOG1\n"  length of the header  header (JSON)  its CRC-32C  payload
//
// The payload is records: changes in the order of their revisions, what the time was at
// a revision, how long a lease lives; and at its end the header again, without what
// describes the payload itself. A reader compares the two.
//
// A small one may be compressed behind a [Dictionary], as if it went on from there. Then it
// begins with "TOWLOG2\n", its header names the dictionary, and nobody reads it without.
//
//	w := segment.NewWriter(segment.Header{Cluster: "prod"}, segment.Options{})
//	w.Change(segment.Change{Main: 7, Row: row})
//	object, header, err := w.Seal()
package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"filippo.io/age"
)

// ErrDamaged is wrapped by every error about bytes that are not what was written.
var ErrDamaged = errors.New("damaged")

// A Header says what a log object holds.
type Header struct {
	Cluster    string `json:"cluster"`
	Generation uint64 `json:"generation"`
	// The revisions from Start to End, both included. All of their changes are in it
	// unless there are points: then those that count at one of these.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// When the first and the last of the revisions were seen, in UTC.
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Changes int64     `json:"changes"`
	Raw     int64     `json:"raw"` // bytes of the records
	Points  []Point   `json:"points,omitempty"`
	// Of the payload as it is stored.
	Encrypted  bool   `json:"encrypted,omitempty"`
	Dictionary string `json:"dictionary,omitempty"` // the name of the one it is behind
	Size       int64  `json:"size,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
}

// A Point is a revision that can be restored, and when it was seen.
type Point struct {
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
}

// A Change is a row of etcd's "key" bucket: a put with the encoded KeyValue, or a
// deletion.
type Change struct {
	Main, Sub int64 // the revision, and the place within it
	Deleted   bool
	Row       []byte // the row's value, as etcd's file has it
}

// A Record is one of a log object's: of its fields one is set.
type Record struct {
	Change *Change
	Mark   *Point
	Lease  *Lease
}

// A Lease is how long one was granted for.
type Lease struct {
	ID  int64
	TTL int64 // seconds
}

// Options say how objects are written. The zero value compresses and does not encrypt.
type Options struct {
	Recipients []age.Recipient
}

const (
	logMagic        = "TOWLOG1\n"
	behindMagic     = "TOWLOG2\n" // a log object behind a dictionary
	chunkMagic      = "TOWROW1\n"
	dictionaryMagic = "TOWDIC1\n"
	// MaxHeader is how much of an object has to be read to know its header: one that holds
	// a day by hours has 24 points.
	MaxHeader = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal puts an object together.
func seal(magic string, header *Header, payload []byte) ([]byte, error) {
	sum := sha256.Sum256(payload)
	header.Size, header.SHA256 = int64(len(payload)), hex.EncodeToString(sum[:])
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxHeader-64 {
		return nil, fmt.Errorf("a header of %d bytes, and at most %d are read: it has too many points", len(text), MaxHeader-64)
	}
	object := make([]byte, 0, len(magic)+4+len(text)+4+len(payload))
	object = append(object, magic...)
	object = binary.BigEndian.AppendUint32(object, uint32(len(text)))
	object = append(object, text...)
	object = binary.BigEndian.AppendUint32(object, crc32.Checksum(text, castagnoli))
	return append(object, payload...), nil
}

// ReadHeader reads the header from an object's first [MaxHeader] bytes, or from all of a
// shorter one. It also says at which byte the payload begins.
func ReadHeader(first []byte) (Header, int, error) {
	if !bytes.HasPrefix(first, []byte(behindMagic)) {
		return readHeader(logMagic, first)
	}
	h, at, err := readHeader(behindMagic, first)
	if err == nil && h.Dictionary == "" {
		err = fmt.Errorf("%w: expected the name of a dictionary in its header, found none", ErrDamaged)
	}
	return h, at, err
}

func readHeader(magic string, first []byte) (h Header, at int, err error) {
	if !bytes.HasPrefix(first, []byte(magic)) {
		return h, 0, fmt.Errorf("%w: expected %q at its beginning, found %q; if a later version of tow has written it, use that", ErrDamaged, magic, first[:min(len(first), len(magic))])
	}
	rest := first[len(magic):]
	if len(rest) < 4 {
		return h, 0, fmt.Errorf("%w: it ends within its header", ErrDamaged)
	}
	n := int(binary.BigEndian.Uint32(rest))
	rest = rest[4:]
	if n > MaxHeader || len(rest) < n+4 {
		return h, 0, fmt.Errorf("%w: a header of %d bytes, and %d are there", ErrDamaged, n, len(rest))
	}
	text := rest[:n]
	if crc32.Checksum(text, castagnoli) != binary.BigEndian.Uint32(rest[n:]) {
		return h, 0, fmt.Errorf("%w: the header's checksum differs", ErrDamaged)
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, 0, fmt.Errorf("%w: the header: %w", ErrDamaged, err)
	}
	if h.Raw < 0 {
		return h, 0, fmt.Errorf("%w: records of %d bytes", ErrDamaged, h.Raw)
	}
	if h.Dictionary != "" && (magic != behindMagic || !isHash(h.Dictionary)) {
		return h, 0, fmt.Errorf("%w: no dictionary of the name %q can be behind %q", ErrDamaged, h.Dictionary, magic)
	}
	return h, len(magic) + 4 + n + 4, nil
}

// Errors of who may not read an object.
var (
	ErrEncrypted     = errors.New("it is encrypted, and no identity was given: name the file that has it with --identity")
	ErrWrongIdentity = errors.New("it is encrypted for others: none of the given identities is one of its recipients")
)
