package record

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNotFound says that a ring does not have an entry, or not any more.
var ErrNotFound = errors.New("no such request is recorded")

// Reader finds entries in a ring's folder. It may be one that another process
// writes to: a Reader knows what was there when it was opened.
type Reader struct {
	disk disk
	seed maphash.Seed

	mu       sync.RWMutex
	segments []*segment // the oldest first
	names    []string   // of programs and views
	numbers  map[string]uint32
	bytes    int64
	damage   damage
}

// segment is what is known of a segment's file. Reader.mu guards it.
type segment struct {
	name   string
	number uint64
	salt   uint32
	size   int64
	slots  []slot
	byID   map[uint64]int32 // the last slot of an id, by the id's hash
}

// slot is where an entry lies. An index has many of them, so it has no pointers.
type slot struct {
	begin         int64
	at, size      uint32
	program, view uint32 // in Reader.names
	outcome       Outcome
}

const segmentSuffix = ".seg"

// segmentName is a file's name: its number, in the order of which segments were
// begun, and its salt.
func segmentName(number uint64, salt uint32) string {
	return fmt.Sprintf("%012d-%08x%s", number, salt, segmentSuffix)
}

func parseSegmentName(name string) (number uint64, salt uint32, ok bool) {
	rest, ok := strings.CutSuffix(name, segmentSuffix)
	digits, hexSalt, ok2 := strings.Cut(rest, "-")
	number, err := strconv.ParseUint(digits, 10, 64)
	raw, err2 := hex.DecodeString(hexSalt)
	if !ok || !ok2 || err != nil || err2 != nil || len(raw) != 4 {
		return 0, 0, false
	}
	return number, binary.BigEndian.Uint32(raw), true
}

// Read opens a ring's folder to look at its entries, whether or not a process
// writes to it.
func Read(dir string) (*Reader, error) {
	r := new(Reader)
	r.init(folder(dir))
	_, err := r.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no records in %s: %w", dir, err)
	}
	return r, err
}

func (r *Reader) init(d disk) {
	r.disk, r.seed, r.numbers = d, maphash.MakeSeed(), map[string]uint32{}
}

// load scans all segments. end is where the frames of the last one end.
func (r *Reader) load() (end int64, err error) {
	infos, err := r.disk.list()
	if err != nil {
		return 0, err
	}
	for _, info := range infos {
		number, salt, ok := parseSegmentName(info.Name())
		if !ok || info.IsDir() {
			continue
		}
		s := &segment{name: info.Name(), number: number, salt: salt, size: info.Size(), byID: map[uint64]int32{}}
		r.segments = append(r.segments, s)
		r.bytes += s.size
	}
	slices.SortFunc(r.segments, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
	for _, s := range slices.Clone(r.segments) {
		var data []byte
		if data, err = r.whole(s); errors.Is(err, fs.ErrNotExist) {
			r.forget(s)
			continue
		}
		if err != nil { // what cannot be read is lost, the rest is not
			r.damage.places++
			r.damage.bytes += s.size
			end = s.size
			continue
		}
		at, d := scan(data, s.salt, func(at, size int, h head) { r.enter(s, at, size, h) })
		end = int64(at)
		r.damage.places += d.places
		r.damage.bytes += d.bytes
	}
	return end, nil
}

// whole reads a segment.
func (r *Reader) whole(s *segment) ([]byte, error) {
	f, err := r.disk.open(s.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, s.size)
	n, err := f.ReadAt(data, 0)
	if err == io.EOF { // it is shorter meanwhile
		err = nil
	}
	return data[:n], err
}

// enter notes an entry of a segment. r.mu is held, or nobody else knows r.
func (r *Reader) enter(s *segment, at, size int, h head) {
	s.byID[maphash.Bytes(r.seed, h.id)] = int32(len(s.slots))
	s.slots = append(s.slots, slot{
		begin: h.begin, at: uint32(at), size: uint32(size),
		program: r.number(h.program), view: r.number(h.view), outcome: h.outcome,
	})
}

// number is that of a name. Programs and views are few.
func (r *Reader) number(name []byte) uint32 {
	n, ok := r.numbers[string(name)]
	if !ok {
		n = uint32(len(r.names))
		r.names = append(r.names, string(name))
		r.numbers[string(name)] = n
	}
	return n
}

// forget takes a segment out of the index.
func (r *Reader) forget(s *segment) {
	r.segments = slices.DeleteFunc(r.segments, func(o *segment) bool { return o == s })
	r.bytes -= s.size
}

// Get reads an entry; the newest when several requests had one id. The error is
// ErrNotFound, or says why the entry cannot be read.
func (r *Reader) Get(id string) (*Entry, error) {
	hash := maphash.String(r.seed, id)
	r.mu.RLock()
	var at slot
	var in *segment
	for _, s := range slices.Backward(r.segments) {
		if i, ok := s.byID[hash]; ok {
			in, at = s, s.slots[i]
			break
		}
	}
	r.mu.RUnlock()
	if in == nil {
		return nil, ErrNotFound
	}
	f, err := r.disk.open(in.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, in.salt, at)
}

// read reads an entry out of its segment.
func read(f file, salt uint32, at slot) (*Entry, error) {
	data := make([]byte, at.size)
	if _, err := f.ReadAt(data, int64(at.at)); err != nil {
		return nil, err
	}
	payload, ok := frameAt(data, salt)
	if !ok {
		return nil, errors.New("the entry was damaged since it was written")
	}
	_, body, err := parseHead(payload)
	if err != nil {
		return nil, err
	}
	return parseBody(body)
}

// Filter says which entries are wanted. The zero value wants all.
type Filter struct {
	Program string
	View    string // qualified, or a name without its module; "": of any view
	Since   time.Time
	Outcome Outcome // 0: any
	Limit   int     // 0: no limit
}

// List reads the entries that a filter wants, the newest first. What cannot be
// read is left out.
func (r *Reader) List(f Filter) []*Entry { return slices.Collect(r.All(f)) }

// All is List one by one. Entries that come meanwhile are not among them; those
// whose segment goes are left out.
func (r *Reader) All(f Filter) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		left := f.Limit
		for _, in := range r.wanted(&f) {
			from, err := r.disk.open(in.name)
			if err != nil {
				continue
			}
			for _, at := range slices.Backward(in.slots) {
				e, err := read(from, in.salt, at)
				if err != nil {
					continue
				}
				if !yield(e) || left == 1 {
					_ = from.Close() // it was read only
					return
				}
				left--
			}
			_ = from.Close()
		}
	}
}

// wanted is the segments with those slots that a filter wants, the newest segment
// first.
func (r *Reader) wanted(f *Filter) []segment {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []segment
	for _, s := range slices.Backward(r.segments) {
		var slots []slot
		for _, at := range s.slots {
			if r.matches(f, &at) {
				slots = append(slots, at)
			}
		}
		if len(slots) > 0 {
			out = append(out, segment{name: s.name, salt: s.salt, slots: slots})
		}
	}
	return out
}

func (r *Reader) matches(f *Filter, at *slot) bool {
	view := r.names[at.view]
	return (f.Program == "" || f.Program == r.names[at.program]) &&
		(f.View == "" || f.View == view || strings.HasSuffix(view, "."+f.View)) &&
		(f.Since.IsZero() || at.begin >= f.Since.UnixNano()) &&
		(f.Outcome == 0 || f.Outcome == at.outcome)
}
