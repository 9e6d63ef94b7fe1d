package segment

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// A ChunkWriter writes a part of a base: rows of a store's buckets, in their order.
type ChunkWriter struct {
	pack    *packer
	options Options
	bucket  string
	scratch []byte
}

// NewChunkWriter begins a chunk.
func NewChunkWriter(o Options) *ChunkWriter { return &ChunkWriter{pack: newPacker(o), options: o} }

// Row adds a row of a bucket.
func (w *ChunkWriter) Row(bucket string, key, value []byte) {
	b := w.scratch[:0]
	if bucket != w.bucket {
		b = append(b, 'b')
		b = binary.AppendUvarint(b, uint64(len(bucket)))
		b = append(b, bucket...)
		w.bucket = bucket
	}
	b = append(b, 'r')
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(value)))
	w.scratch = b
	w.pack.write(b)
	w.pack.write(value)
}

// Raw is how many bytes the chunk has so far, uncompressed.
func (w *ChunkWriter) Raw() int64 { return w.pack.raw }

// Seal ends the chunk.
func (w *ChunkWriter) Seal() ([]byte, error) {
	w.pack.write([]byte{kindEnd})
	payload, _, err := w.pack.close(nil)
	if err != nil {
		return nil, err
	}
	return seal(chunkMagic, &Header{Raw: w.pack.raw, Encrypted: len(w.options.Recipients) > 0}, payload)
}

// ReadChunk hands each of a chunk's rows to a function, which may keep what it is given.
func ReadChunk(object []byte, row func(bucket string, key, value []byte) error, identities ...age.Identity) error {
	h, at, err := readHeader(chunkMagic, object)
	if err != nil {
		return err
	}
	decoder, err := unpack(h, object[at:], nil, identities)
	if err != nil {
		return err
	}
	defer decoder.Close()
	in, bucket := bufio.NewReaderSize(decoder, 256<<10), ""
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, noEOF(err))
		}
		switch kind {
		case 'b':
			name, err := readBytes(in, h.Raw)
			if err != nil {
				return err
			}
			bucket = string(name)
		case 'r':
			key, err1 := readBytes(in, h.Raw)
			value, err2 := readBytes(in, h.Raw)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			if err := row(bucket, key, value); err != nil {
				return err
			}
		case kindEnd:
			return nil
		default:
			return fmt.Errorf("%w: expected a kind of row, found %q", ErrDamaged, kind)
		}
	}
}

// readBytes reads one of the strings that are so many bytes together.
func readBytes(in *bufio.Reader, all int64) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n > uint64(all) {
		return nil, fmt.Errorf("%w: a length that is none", ErrDamaged)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, noEOF(err))
	}
	return b, nil
}
