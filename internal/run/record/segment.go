package record

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// A segment is frames, one after the other:
//
//	"\xf5TWR"  4 bytes, which no UTF-8 text holds
//	length     u32, little-endian, of the payload
//	checksum   u32, CRC-32C of the segment's salt, the length and the payload
//	payload    head and body
//
// The head is what an index needs: a byte 1, the instant of the beginning (i64,
// nanoseconds), the outcome (a byte), then id, program and view, each with its
// length as a uvarint before it. The body is the entry's JSON, deflated.
//
// Where no frame stands, the reader goes on to the next marker whose checksum is
// right. The salt is random and stands in the file's name: nothing that a request
// carries in its own bytes is ever taken for a frame.
const (
	marker      = "\xf5TWR"
	frameHeader = len(marker) + 8
	version     = 1
	// maxJSON is what the JSON of an entry may have, in bytes.
	maxJSON = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// head is the part of a frame that the index keeps.
type head struct {
	begin             int64
	outcome           Outcome
	id, program, view []byte
}

// checksum is that of a frame whose length and payload are given.
func checksum(salt uint32, length, payload []byte) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], salt)
	c := crc32.Update(0, castagnoli, b[:])
	return crc32.Update(crc32.Update(c, castagnoli, length), castagnoli, payload)
}

// encoder makes frames. It keeps its memory.
type encoder struct {
	flate *flate.Writer
	body  bytes.Buffer
}

// append appends an entry's frame to dst. On an error dst comes back as it was.
func (c *encoder) append(dst []byte, salt uint32, e *Entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return dst, err
	}
	if len(text) > maxJSON {
		return dst, errTooLarge
	}
	c.body.Reset()
	if c.flate == nil {
		if c.flate, err = flate.NewWriter(&c.body, flate.BestSpeed); err != nil {
			return dst, err
		}
	}
	c.flate.Reset(&c.body)
	if _, err := c.flate.Write(text); err != nil {
		return dst, err
	}
	if err := c.flate.Close(); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(dst, marker...)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = append(dst, version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Begin.UnixNano()))
	dst = append(dst, byte(e.Outcome))
	for _, s := range [...]string{e.ID, e.Program, e.Record.View} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = append(dst, c.body.Bytes()...)
	sign(dst[start:], salt)
	return dst, nil
}

// sign fills in a frame's length and checksum.
func sign(frame []byte, salt uint32) {
	payload := frame[frameHeader:]
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[8:], checksum(salt, frame[4:8], payload))
}

// errTooLarge says that an entry does not fit a segment.
var errTooLarge = errors.New("the entry is larger than a segment")

// frameAt is the payload of the frame that data begins with, if one does.
func frameAt(data []byte, salt uint32) (payload []byte, ok bool) {
	if len(data) < frameHeader || string(data[:4]) != marker {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(data[4:])
	if uint64(n) > uint64(len(data)-frameHeader) {
		return nil, false
	}
	payload = data[frameHeader : frameHeader+int(n)]
	return payload, checksum(salt, data[4:8], payload) == binary.LittleEndian.Uint32(data[8:])
}

// damage is what of a segment is no frames.
type damage struct {
	places int
	bytes  int64
}

// scan visits the frames of a segment. end is where the last of them ends.
func scan(data []byte, salt uint32, visit func(at, size int, h head)) (end int, d damage) {
	for at := 0; at < len(data); {
		payload, ok := frameAt(data[at:], salt)
		if !ok {
			next := nextFrame(data, at+1, salt)
			d.places++
			d.bytes += int64(next - at)
			at = next
			continue
		}
		size := frameHeader + len(payload)
		if h, _, err := parseHead(payload); err == nil {
			visit(at, size, h)
		} else { // of a later version
			d.places++
			d.bytes += int64(size)
		}
		at += size
		end = at
	}
	return end, d
}

// nextFrame is where the next frame begins, or the end of data.
func nextFrame(data []byte, at int, salt uint32) int {
	for at < len(data) {
		i := bytes.Index(data[at:], []byte(marker))
		if i < 0 {
			break
		}
		at += i
		if _, ok := frameAt(data[at:], salt); ok {
			return at
		}
		at++
	}
	return len(data)
}

// parseHead reads a payload's head; body is what follows it.
func parseHead(payload []byte) (h head, body []byte, err error) {
	if len(payload) < 10 || payload[0] != version {
		return head{}, nil, errors.New("the entry is of a later version of tow, or damaged")
	}
	h.begin, h.outcome = int64(binary.LittleEndian.Uint64(payload[1:])), Outcome(payload[9])
	rest := payload[10:]
	for _, to := range [...]*[]byte{&h.id, &h.program, &h.view} {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return head{}, nil, errors.New("the entry's head is cut off")
		}
		*to = rest[used : used+int(n)]
		rest = rest[used+int(n):]
	}
	return h, rest, nil
}

// parseBody reads an entry out of a payload's body.
func parseBody(body []byte) (*Entry, error) {
	r := flate.NewReader(bytes.NewReader(body))
	text, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err != nil {
		return nil, fmt.Errorf("the entry does not inflate: %w", err)
	}
	if len(text) > maxJSON {
		return nil, fmt.Errorf("the entry inflates to more than %d bytes", maxJSON)
	}
	e := new(Entry)
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("the entry: %w", err)
	}
	return e, nil
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
