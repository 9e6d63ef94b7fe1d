package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

// A Part is a log object inside a pack: an object that several clusters share, so that what
// they upload at once is one request.
type Part struct {
	Header Header `json:"header"` // the object's own, as it has it
	Offset int64  `json:"offset"` // in the pack
	Size   int64  `json:"size"`
}

const packMagic = "TOWPAK1\n"

// MaxParts is how many log objects a pack may have, so that its index is read with its
// first bytes.
const MaxParts = 100

// Pack makes a pack of log objects.
func Pack(objects [][]byte) ([]byte, error) {
	if len(objects) > MaxParts {
		return nil, fmt.Errorf("%d log objects in a pack: expected %d at most", len(objects), MaxParts)
	}
	parts := make([]Part, len(objects))
	for i, o := range objects {
		h, _, err := ReadHeader(o)
		if err != nil {
			return nil, err
		}
		parts[i] = Part{Header: h, Size: int64(len(o))}
	}
	// Offsets are counted from the end of the index, which is as long as they make it.
	at := int64(0)
	for i := range parts {
		parts[i].Offset = at
		at += parts[i].Size
	}
	index, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
	pack := append([]byte(packMagic), binary.BigEndian.AppendUint32(nil, uint32(len(index)))...)
	pack = append(pack, index...)
	pack = binary.BigEndian.AppendUint32(pack, crc32.Checksum(index, castagnoli))
	return append(pack, bytes.Join(objects, nil)...), nil
}

// ReadIndex reads the index of a pack from its first [MaxHeader] bytes. The parts' offsets
// are from the pack's beginning.
func ReadIndex(first []byte) ([]Part, error) {
	rest, ok := bytes.CutPrefix(first, []byte(packMagic))
	if !ok || len(rest) < 4 {
		return nil, fmt.Errorf("%w: expected a pack that begins with %q, found %q", ErrDamaged, packMagic, first[:min(len(first), len(packMagic))])
	}
	n := int(binary.BigEndian.Uint32(rest))
	if n > MaxHeader || len(rest) < 4+n+4 {
		return nil, fmt.Errorf("%w: an index of %d bytes, and %d are there", ErrDamaged, n, len(rest))
	}
	index := rest[4 : 4+n]
	if crc32.Checksum(index, castagnoli) != binary.BigEndian.Uint32(rest[4+n:]) {
		return nil, fmt.Errorf("%w: the index's checksum differs", ErrDamaged)
	}
	var parts []Part
	if err := json.Unmarshal(index, &parts); err != nil {
		return nil, fmt.Errorf("%w: the index: %w", ErrDamaged, err)
	}
	begin := int64(len(packMagic) + 4 + n + 4)
	for i := range parts {
		if d := parts[i].Header.Dictionary; d != "" && !isHash(d) {
			return nil, fmt.Errorf("%w: the index has the dictionary %q, which is no name of one", ErrDamaged, d)
		}
		parts[i].Offset += begin
	}
	return parts, nil
}

// Cut is a part's object out of a pack.
func (p Part) Cut(pack []byte) ([]byte, error) {
	if p.Offset < 0 || p.Size < 0 || p.Offset > int64(len(pack)) || p.Size > int64(len(pack))-p.Offset {
		return nil, fmt.Errorf("%w: it has %d bytes, and a part of %d from %d on", ErrDamaged, len(pack), p.Size, p.Offset)
	}
	return pack[p.Offset : p.Offset+p.Size], nil
}
