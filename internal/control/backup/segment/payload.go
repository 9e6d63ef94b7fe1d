package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// packer compresses and encrypts a payload in memory.
type packer struct {
	out    bytes.Buffer
	cipher io.WriteCloser // nil without recipients
	small  []byte         // all that was written, while that is little
	zstd   *zstd.Encoder  // nil while it is
	raw    int64
	err    error
}

// maxSmall is the bytes of a payload that a dictionary is for. A larger one has enough of its
// own, and is compressed as it comes.
const maxSmall = 1 << 20

func newPacker(o Options) *packer {
	p := &packer{}
	if len(o.Recipients) > 0 {
		p.cipher, p.err = age.Encrypt(&p.out, o.Recipients...)
	}
	return p
}

// to is where what is compressed goes.
func (p *packer) to() io.Writer {
	if p.cipher != nil {
		return p.cipher
	}
	return &p.out
}

func (p *packer) write(b []byte) {
	if p.err != nil {
		return
	}
	p.raw += int64(len(b))
	if p.zstd != nil {
		_, p.err = p.zstd.Write(b)
		return
	}
	if p.small = append(p.small, b...); len(p.small) > maxSmall {
		p.stream()
	}
}

// spare is an encoder that waits for a payload: it has 50 MiB of tables, which cost more to make than
// most payloads do to compress. One is enough for who makes one object after the other; it is not for
// the garbage collector to take, as who uploads each minute would make it anew each time.
var spare = make(chan *zstd.Encoder, 1)

func newEncoder(to io.Writer) (*zstd.Encoder, error) {
	select {
	case e := <-spare:
		e.Reset(to)
		return e, nil
	default:
	}
	return zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
}

// freeEncoder has an encoder that was closed wait for the next payload, unless one does.
func freeEncoder(e *zstd.Encoder) {
	e.Reset(nil) // what it wrote to is let go
	select {
	case spare <- e:
	default:
	}
}

// stream goes on by compressing what comes.
func (p *packer) stream() {
	if p.zstd, p.err = newEncoder(p.to()); p.err == nil {
		_, p.err = p.zstd.Write(p.small)
	}
	p.small = nil
}

// close ends the payload. If it is small, and there is a dictionary, it is behind that.
func (p *packer) close(d *Dictionary) (payload []byte, behind bool, err error) {
	behind = p.err == nil && p.zstd == nil && d != nil
	if behind {
		var compressed []byte
		if compressed, p.err = d.compress(p.small); p.err == nil {
			_, p.err = p.to().Write(compressed)
		}
	} else {
		if p.err == nil && p.zstd == nil {
			p.stream()
		}
		if p.err == nil {
			p.err = p.zstd.Close()
		}
		if p.err == nil {
			freeEncoder(p.zstd)
		}
	}
	if p.err == nil && p.cipher != nil {
		p.err = p.cipher.Close()
	}
	return p.out.Bytes(), behind, p.err
}

// unpack reads a payload that readHeader has described, behind a dictionary or nil.
func unpack(h Header, payload []byte, behind *Dictionary, identities []age.Identity) (*zstd.Decoder, error) {
	if sum := sha256.Sum256(payload); int64(len(payload)) != h.Size || hex.EncodeToString(sum[:]) != h.SHA256 {
		return nil, fmt.Errorf("%w: expected a payload of %d bytes with the hash %s, found %d bytes with %x", ErrDamaged, h.Size, h.SHA256, len(payload), sum)
	}
	var from io.Reader = bytes.NewReader(payload)
	if h.Encrypted {
		var err error
		if len(identities) == 0 {
			return nil, ErrEncrypted
		}
		if from, err = age.Decrypt(from, identities...); err != nil {
			var none *age.NoIdentityMatchError
			if errors.As(err, &none) {
				return nil, ErrWrongIdentity
			}
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1 << 30)}
	if behind != nil {
		options = append(options, zstd.WithDecoderDictRaw(frameID, behind.content))
	}
	return zstd.NewReader(from, options...)
}
