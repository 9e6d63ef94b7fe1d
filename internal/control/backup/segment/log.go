package segment

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// The kinds of records.
const (
	kindPut    = 'p' // main's distance, sub's distance, length, row
	kindDelete = 'd' // the same
	kindMark   = 't' // milliseconds since 1970, at the revision of the change before
	kindLease  = 'l' // ID, seconds
)

// A Writer writes a log object. Changes come in the order of their revisions.
type Writer struct {
	header  Header
	options Options
	pack    *packer
	behind  *Dictionary
	last    Change
	scratch []byte
}

// NewWriter begins an object. Of the header, only who it is of is asked for, and points.
func NewWriter(h Header, o Options) *Writer {
	return &Writer{header: h, options: o, pack: newPacker(o)}
}

// Change adds a change.
func (w *Writer) Change(c Change) {
	kind, main, sub := byte(kindPut), c.Main-w.last.Main, c.Sub
	if c.Deleted {
		kind = kindDelete
	}
	if main == 0 {
		sub -= w.last.Sub + 1
	}
	if main < 0 || sub < 0 {
		w.fail(fmt.Errorf("revision %d.%d after %d.%d: changes come in their order", c.Main, c.Sub, w.last.Main, w.last.Sub))
		return
	}
	b := append(w.scratch[:0], kind)
	b = binary.AppendUvarint(b, uint64(main))
	b = binary.AppendUvarint(b, uint64(sub))
	b = binary.AppendUvarint(b, uint64(len(c.Row)))
	w.scratch = b
	w.pack.write(b)
	w.pack.write(c.Row)
	if w.header.Changes == 0 && w.header.Start == 0 {
		w.header.Start = c.Main
	}
	w.header.Changes++
	w.header.End = max(w.header.End, c.Main)
	w.last = Change{Main: c.Main, Sub: c.Sub}
}

// Mark says that the last change had been seen at an instant.
func (w *Writer) Mark(at time.Time) {
	at = at.UTC().Truncate(time.Millisecond)
	if w.header.From.IsZero() {
		w.header.From = at
	}
	w.header.To = at
	w.scratch = binary.AppendVarint(append(w.scratch[:0], kindMark), at.UnixMilli())
	w.pack.write(w.scratch)
}

// Lease says how long a lease lives.
func (w *Writer) Lease(l Lease) {
	b := binary.AppendVarint(append(w.scratch[:0], kindLease), l.ID)
	w.scratch = binary.AppendVarint(b, l.TTL)
	w.pack.write(w.scratch)
}

func (w *Writer) fail(err error) {
	if w.pack.err == nil {
		w.pack.err = err
	}
}

// Raw is how many bytes the records have so far, uncompressed.
func (w *Writer) Raw() int64 { return w.pack.raw }

// Empty says whether there is no change yet.
func (w *Writer) Empty() bool { return w.header.Changes == 0 }

// Span is the revisions from the first to the last change so far.
func (w *Writer) Span() (start, end int64) { return w.header.Start, w.header.End }

// Cover says which revisions the object answers for where these are more than those of
// its changes: one that is kept by points.
func (w *Writer) Cover(start, end int64, from, to time.Time, points []Point) {
	w.header.Start, w.header.End, w.header.From, w.header.To, w.header.Points = start, end, from.UTC(), to.UTC(), points
}

// Behind has the object compressed behind a dictionary, if it is small enough to gain by that.
// Nil is none. It is asked for last, as what an object is begun for may come much later.
func (w *Writer) Behind(d *Dictionary) { w.behind = d }

// Seal ends the object.
func (w *Writer) Seal() ([]byte, Header, error) {
	h := w.header
	h.Raw, h.Encrypted = w.pack.raw, len(w.options.Recipients) > 0
	inner, err := json.Marshal(h)
	if err != nil {
		return nil, h, err
	}
	// The inner header is known when all else has been written, so it stands at the end,
	// and its length behind it tells a reader from where on.
	w.pack.write([]byte{kindEnd})
	w.pack.write(binary.AppendUvarint(nil, uint64(len(inner))))
	w.pack.write(inner)
	payload, behind, err := w.pack.close(w.behind)
	if err != nil {
		return nil, h, err
	}
	magic := logMagic
	if behind {
		magic, h.Dictionary = behindMagic, w.behind.Name
	}
	object, err := seal(magic, &h, payload)
	return object, h, err
}

const kindEnd = 'e' // length, header

// A Reader reads a log object's records.
type Reader struct {
	header Header
	zstd   *zstd.Decoder
	in     *bufio.Reader
	change Change
	mark   Point
	lease  Lease
	count  int64
}

// Open checks an object's bytes and begins to read its records. If it is behind a dictionary, the
// function has to find that by its name.
func Open(object []byte, dictionary func(name string) (*Dictionary, error), identities ...age.Identity) (*Reader, Header, error) {
	h, at, err := ReadHeader(object)
	if err != nil {
		return nil, h, err
	}
	var behind *Dictionary
	if h.Dictionary != "" {
		if behind, err = dictionary(h.Dictionary); err != nil {
			return nil, h, err
		}
	}
	decoder, err := unpack(h, object[at:], behind, identities)
	if err != nil {
		return nil, h, err
	}
	return &Reader{header: h, zstd: decoder, in: bufio.NewReaderSize(decoder, 256<<10)}, h, nil
}

// Close lets go of what reading takes.
func (r *Reader) Close() { r.zstd.Close() }

// Next is the next record, or io.EOF after the last. What it points to is good until
// the next call, but for a change's row, which is the caller's.
func (r *Reader) Next() (Record, error) {
	record, err := r.next()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: record %d: %w", ErrDamaged, r.count, noEOF(err))
	}
	r.count++
	return record, err
}

func (r *Reader) next() (Record, error) {
	kind, err := r.in.ReadByte()
	if err != nil {
		return Record{}, noEOF(err)
	}
	switch kind {
	case kindPut, kindDelete:
		return r.readChange(kind)
	case kindMark:
		at, err := binary.ReadVarint(r.in)
		r.mark = Point{r.change.Main, time.UnixMilli(at).UTC()}
		return Record{Mark: &r.mark}, noEOF(err)
	case kindLease:
		if r.lease.ID, err = binary.ReadVarint(r.in); err == nil {
			r.lease.TTL, err = binary.ReadVarint(r.in)
		}
		return Record{Lease: &r.lease}, noEOF(err)
	case kindEnd:
		return Record{}, r.end()
	}
	return Record{}, fmt.Errorf("expected a kind of record, found %q", kind)
}

func (r *Reader) readChange(kind byte) (Record, error) {
	main, err1 := binary.ReadUvarint(r.in)
	sub, err2 := binary.ReadUvarint(r.in)
	n, err3 := binary.ReadUvarint(r.in)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Record{}, io.ErrUnexpectedEOF
	}
	if n > uint64(r.header.Raw) {
		return Record{}, fmt.Errorf("a row of %d bytes among records of %d", n, r.header.Raw)
	}
	c := Change{Main: r.change.Main + int64(main), Sub: int64(sub), Deleted: kind == kindDelete, Row: make([]byte, n)}
	if main == 0 {
		c.Sub += r.change.Sub + 1
	}
	if _, err := io.ReadFull(r.in, c.Row); err != nil {
		return Record{}, noEOF(err)
	}
	r.change = c
	return Record{Change: &r.change}, nil
}

// end checks that the two headers agree, and that nothing follows.
func (r *Reader) end() error {
	n, err := binary.ReadUvarint(r.in)
	if err != nil || n > MaxHeader {
		return errors.New("its inner header is cut")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r.in, text); err != nil {
		return noEOF(err)
	}
	outer := r.header
	outer.Dictionary, outer.Size, outer.SHA256 = "", 0, ""
	want, err := json.Marshal(outer)
	if err != nil {
		return err
	}
	if string(want) != string(text) {
		return fmt.Errorf("its headers differ: %s in the clear, %s within", want, text)
	}
	if _, err := r.in.ReadByte(); err != io.EOF {
		return errors.New("bytes after its end")
	}
	return io.EOF
}

// noEOF makes an end where none may be an error.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
