package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faultyDisk is a disk that can hang and fail.
type faultyDisk struct {
	disk
	hang  chan struct{} // writes wait until it is closed; nil: none do
	room  atomic.Int64  // bytes until the disk is full, when full is set
	full  atomic.Bool
	fails atomic.Pointer[error] // of the operations that are named in its text
	syncs atomic.Int64
}

func (d *faultyDisk) failing(operation string) error {
	if err := d.fails.Load(); err != nil && *err != nil && strings.Contains((*err).Error(), operation) {
		return *err
	}
	return nil
}

func (d *faultyDisk) fail(operations string) {
	err := errors.New("no " + operations)
	d.fails.Store(&err)
}

func (d *faultyDisk) list() ([]fs.FileInfo, error) {
	infos, err := d.disk.list()
	return infos, errors.Join(d.failing("list"), err)
}

func (d *faultyDisk) append(name string) (file, error) {
	if err := d.failing("append"); err != nil {
		return nil, err
	}
	f, err := d.disk.append(name)
	return &faultyFile{f, d}, err
}

func (d *faultyDisk) remove(name string) error {
	if err := d.failing("remove"); err != nil {
		return err
	}
	return d.disk.remove(name)
}

type faultyFile struct {
	file
	d *faultyDisk
}

func (f *faultyFile) Write(b []byte) (int, error) {
	if f.d.hang != nil {
		<-f.d.hang
	}
	if err := f.d.failing("write"); err != nil {
		return 0, err
	}
	if f.d.full.Load() {
		if left := f.d.room.Add(-int64(len(b))); left < 0 {
			n, err := f.file.Write(b[:max(0, int64(len(b))+left)])
			f.d.room.Store(0)
			return n, errors.Join(err, syscall.ENOSPC)
		}
	}
	return f.file.Write(b)
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.d.failing("truncate"); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultyFile) Sync() error {
	f.d.syncs.Add(1)
	return errors.Join(f.d.failing("sync"), f.file.Sync())
}

// TestFullDisk: requests go on, what is dropped is counted, and the ring recovers.
func TestFullDisk(t *testing.T) {
	for _, broken := range []string{"", "truncate", "truncate remove"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			d := &faultyDisk{disk: folder(dir)}
			r := open(t, dir, Options{disk: d})
			put(t, r, entry("before", 10))
			d.room.Store(100)
			d.full.Store(true)
			if broken != "" {
				d.fail(broken)
			}
			for i := range 10 {
				if !r.Put(entry(fmt.Sprint("lost", i), 10)) {
					t.Error("a full disk is felt by requests")
				}
				synctest.Wait()
			}
			if err := r.Sync(t.Context()); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Sync: %v", err)
			}
			if r.Put(entry("lost10", 10)); !errors.Is(r.Sync(t.Context()), syscall.ENOSPC) {
				t.Error("Sync does not tell of what was dropped while the disk is left alone")
			}
			if s := r.Stats(); s.Written != 1 || s.Dropped != (Drops{Disk: 11}) || !errors.Is(s.DiskError, syscall.ENOSPC) {
				t.Errorf("on a full disk it counts %+v", s)
			}
			d.full.Store(false)
			time.Sleep(retryPause) // of the test's own time
			put(t, r, entry("after", 10))
			if s := r.Stats(); s.Written != 2 || s.DiskError != nil {
				t.Errorf("with room again it counts %+v", s)
			}
			if _, err := r.Get("after"); err != nil {
				t.Errorf("what was put with room again: %v", err)
			}
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
			reader, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(ids(reader.List(Filter{})), " "); got != "after before" {
				t.Errorf("on disk are %s", got)
			}
		})
	}
}

// TestFailingDisk: whatever fails, it recovers.
func TestFailingDisk(t *testing.T) {
	for _, operation := range []string{"append", "write", "sync", "remove"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			d := &faultyDisk{disk: folder(dir)}
			r := open(t, dir, Options{MaxBytes: 2 << 10, SegmentBytes: 512, disk: d})
			d.fail(operation)
			lost := int64(0)
			for i := range 20 {
				r.Put(entry(fmt.Sprint("r", i), 10))
				if r.Sync(t.Context()) != nil {
					lost++
				}
				time.Sleep(retryPause)
			}
			s := r.Stats()
			if s.Written+s.Dropped.Disk != 20 || lost == 0 || s.DiskError == nil && operation != "sync" {
				t.Errorf("no %s: %d Syncs failed, %+v", operation, lost, s)
			}
			if size := folderSize(t, dir); size > 2<<10 {
				t.Errorf("no %s: the segments have %d bytes", operation, size)
			}
			d.fails.Store(nil)
			put(t, r, entry("after", 10))
			if _, err := r.Get("after"); err != nil {
				t.Errorf("no %s: afterwards %v", operation, err)
			}
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	d := &faultyDisk{disk: folder(dir)}
	d.fail("list")
	if _, err := Open(dir, Options{disk: d}); err == nil || !strings.Contains(err.Error(), "no list") {
		t.Errorf("Open: %v", err)
	}
	open(t, dir, Options{}) // it is not locked
	if _, err := Read(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read: %v", err)
	}
}

// written writes entries to a ring of one segment and gives the segment.
func written(t *testing.T, n int) (name string, data []byte) {
	t.Helper()
	dir := t.TempDir()
	r := open(t, dir, Options{})
	for i := range n {
		put(t, r, entry(fmt.Sprint("r", i), 10))
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	name = r.segments[0].name
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return name, data
}

// scanned is the ids that are read in a segment, each of them whole.
func scanned(t *testing.T, name string, data []byte) (ids []string, d damage) {
	t.Helper()
	_, salt, _ := parseSegmentName(name)
	_, d = scan(data, salt, func(at, size int, h head) {
		e, err := read(readerAt(data), salt, slot{at: uint32(at), size: uint32(size)})
		if err != nil || e.ID != string(h.id) {
			t.Errorf("at %d stands %v, %v", at, e, err)
		}
		ids = append(ids, string(h.id))
	})
	return ids, d
}

// readerAt is a segment in memory.
type readerAt []byte

func (r readerAt) ReadAt(b []byte, at int64) (int, error) { return bytes.NewReader(r).ReadAt(b, at) }
func (readerAt) Write([]byte) (int, error)                { return 0, errors.ErrUnsupported }
func (readerAt) Truncate(int64) error                     { return errors.ErrUnsupported }
func (readerAt) Sync() error                              { return nil }
func (readerAt) Close() error                             { return nil }

func TestTornTails(t *testing.T) {
	name, data := written(t, 3)
	_, salt, _ := parseSegmentName(name)
	last := 0
	scan(data, salt, func(at, _ int, _ head) { last = at })
	for cut := last; cut < len(data); cut++ {
		ids, d := scanned(t, name, data[:cut])
		if len(ids) != 2 || d.places != min(1, cut-last) || d.bytes != int64(cut-last) {
			t.Fatalf("cut off at %d: %v, %+v", cut, ids, d)
		}
		if cut%7 != 0 {
			continue
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), data[:cut], fileMode); err != nil {
			t.Fatal(err)
		}
		r := open(t, dir, Options{})
		put(t, r, entry("next", 10))
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		reader, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(idsOf(reader), " "); got != "next r1 r0" || len(reader.segments) != 1 || reader.damage.places != 0 {
			t.Fatalf("cut off at %d and gone on with: %s, %+v", cut, got, reader.damage)
		}
	}
}

func idsOf(r *Reader) []string { return ids(r.List(Filter{})) }

func TestFlippedBits(t *testing.T) {
	name, data := written(t, 3)
	_, salt, _ := parseSegmentName(name)
	var begins []int
	scan(data, salt, func(at, _ int, _ head) { begins = append(begins, at) })
	for i := range data {
		hit := 0
		for n, at := range begins {
			if i >= at {
				hit = n
			}
		}
		for bit := range 8 {
			data[i] ^= 1 << bit
			ids, d := scanned(t, name, data)
			data[i] ^= 1 << bit
			if len(ids) != 2 || d.places != 1 || strings.Contains(strings.Join(ids, " "), fmt.Sprint("r", hit)) {
				t.Fatalf("bit %d of byte %d, in r%d: %v are left, %+v", bit, i, hit, ids, d)
			}
		}
	}
}

// TestForgedFrame: bytes of a request that look like a frame are none.
func TestForgedFrame(t *testing.T) {
	_, forged := written(t, 1)
	name, data := written(t, 2)
	data[20] ^= 1
	ids, _ := scanned(t, name, append(bytes.Clone(forged), data...))
	if strings.Join(ids, " ") != "r1" {
		t.Errorf("read were %v", ids)
	}
}

// TestOtherFilesAreLeftAlone: a folder may hold what is none of the ring's.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"README", "x-00000000.seg", "1-0.seg", "000000000007-0000000000.seg"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("text"), fileMode); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir, Options{})
	put(t, r, entry("r0", 1))
	if len(r.segments) != 1 || r.Stats().Damaged != 0 {
		t.Errorf("it took a file of another's: %+v", r.Stats())
	}
}

// writeUntilKilled is the child of TestKilled: it says which entries are synced.
func writeUntilKilled(dir string) {
	r, err := Open(dir, Options{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		r.Put(entry(fmt.Sprintf("r%06d", i), i%100))
		if i%10 == 9 {
			if err := r.Sync(context.Background()); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Printf("r%06d\n", i)
		}
	}
}

// TestKilled kills a process that writes. What it said to be synced is there, and
// nothing is read that it did not write.
func TestKilled(t *testing.T) {
	for round := range 3 {
		dir := t.TempDir()
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "TOWPATH_RECORD_CHILD="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		last := make([]byte, 8)
		for range 20 + 13*round {
			if _, err := out.Read(last); err != nil {
				t.Fatalf("the child says %q, %v", last, err)
			}
		}
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", child.Process.Pid)) {
			t.Errorf("beside the child: %v", err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
		r := open(t, dir, Options{MaxBytes: 1 << 20})
		got := ids(r.List(Filter{}))
		for i, id := range got {
			if want := fmt.Sprintf("r%06d", len(got)-1-i); id != want {
				t.Fatalf("entry %d is %s, want %s", i, id, want)
			}
		}
		if len(got) == 0 || got[0] < strings.TrimSpace(string(last)) {
			t.Errorf("%s was synced, and the newest of %d is %v", last, len(got), got[:min(1, len(got))])
		}
		put(t, r, entry("next", 1))
	}
}

func FuzzSegment(f *testing.F) {
	var c encoder
	data, err := c.append(nil, 7, entry("r0", 10))
	if err != nil {
		f.Fatal(err)
	}
	two, err := c.append(data, 7, entry("r1", 20))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, uint32(7))
	f.Add(two, uint32(7))
	f.Add(two[3:], uint32(7))
	f.Fuzz(func(t *testing.T, data []byte, salt uint32) {
		at := 0
		end, d := scan(data, salt, func(from, size int, h head) {
			if from < at || size <= 0 || from+size > len(data) {
				t.Fatalf("a frame of %d at %d behind %d", size, from, at)
			}
			at = from + size
			// What is in it may be anything; it must not hurt.
			_, _ = read(readerAt(data), salt, slot{at: uint32(from), size: uint32(size)})
		})
		if end < at || end > len(data) || d.bytes > int64(len(data)) {
			t.Fatalf("the end %d of %d, %+v", end, len(data), d)
		}
	})
}

// FuzzBody reads what stands behind a checksum that is right.
func FuzzBody(f *testing.F) {
	var c encoder
	data, err := c.append(nil, 7, entry("r0", 10))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[frameHeader:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, body, err := parseHead(payload)
		if err == nil {
			_, _ = parseBody(body) // it may be anything; it must not hurt
		}
	})
}
