package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// A Dictionary is bytes such as log objects have. A minute has few rows, and what they are
// made of is in none of the minutes before: by itself it is compressed little, and much better as
// if it went on from a dictionary.
//
// It is an object of its own, of which the name is the hash: so what is read with the name that
// a header has is what was written with it, or is refused.
type Dictionary struct {
	// Name is the SHA-256 of its object, in hexadecimal digits.
	Name    string
	content []byte
	encoder func() (*zstd.Encoder, error)
}

const (
	// MaxDictionary is the bytes of the largest one that is read.
	MaxDictionary = 8 << 20
	// frameID is what zstd's frames call any dictionary. Which one it is the header says.
	frameID = 1
)

// NewDictionary makes one of bytes, and its object.
func NewDictionary(content []byte, o Options) (d *Dictionary, object []byte, err error) {
	if len(content) == 0 || len(content) > MaxDictionary {
		return nil, nil, fmt.Errorf("a dictionary of %d bytes: expected 1 to %d", len(content), MaxDictionary)
	}
	p := newPacker(o)
	p.write(content)
	payload, _, err := p.close(nil)
	if err != nil {
		return nil, nil, err
	}
	object, err = seal(dictionaryMagic, &Header{Raw: int64(len(content)), Encrypted: len(o.Recipients) > 0}, payload)
	if err != nil {
		return nil, nil, err
	}
	return newDictionary(object, content), object, nil
}

// OpenDictionary reads the object of one.
func OpenDictionary(object []byte, identities ...age.Identity) (*Dictionary, error) {
	h, at, err := readHeader(dictionaryMagic, object)
	if err != nil {
		return nil, err
	}
	if h.Raw > MaxDictionary {
		return nil, fmt.Errorf("%w: a dictionary of %d bytes, and at most %d are read", ErrDamaged, h.Raw, MaxDictionary)
	}
	decoder, err := unpack(h, object[at:], nil, identities)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	content, err := io.ReadAll(io.LimitReader(decoder, h.Raw+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if int64(len(content)) != h.Raw {
		return nil, fmt.Errorf("%w: expected a dictionary of %d bytes, found other than that", ErrDamaged, h.Raw)
	}
	return newDictionary(object, content), nil
}

func newDictionary(object, content []byte) *Dictionary {
	sum := sha256.Sum256(object)
	return &Dictionary{Name: hex.EncodeToString(sum[:]), content: content, encoder: sync.OnceValues(func() (*zstd.Encoder, error) {
		// The best level is 4 % better, and takes four times as long and 68 MB in place of 9.
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderDictRaw(frameID, content))
	})}
}

// compress compresses a payload behind the dictionary. Making the encoder takes longer than using it,
// so there is one, from when it is first used.
func (d *Dictionary) compress(payload []byte) ([]byte, error) {
	encoder, err := d.encoder()
	if err != nil {
		return nil, err
	}
	return encoder.EncodeAll(payload, nil), nil
}

// isHash says whether a text is one that names a dictionary.
func isHash(name string) bool {
	sum, err := hex.DecodeString(name)
	return err == nil && len(sum) == sha256.Size
}
