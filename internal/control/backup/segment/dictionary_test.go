package segment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

// row is one as applications write them: its merchant is one of a hundred.
func row(i int64) []byte {
	return fmt.Appendf(nil, `{"id":"%06x","merchant":"m-%x","price":{"amount":"%d.99","currency":"EUR"},"active":true}`, i*7919%9973, sha256.Sum256([]byte{byte(i % 100)}), i)
}

// someRows is a log object of rows, behind a dictionary or nil.
func someRows(t *testing.T, n int64, behind *Dictionary, o Options) ([]byte, Header) {
	t.Helper()
	w := NewWriter(Header{Cluster: "prod"}, o)
	for i := range n {
		w.Change(Change{Main: 2 + i, Row: row(i)})
	}
	w.Behind(behind)
	object, h, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return object, h
}

// rowsOf reads them again.
func rowsOf(object []byte, find func(string) (*Dictionary, error), identities ...age.Identity) (rows [][]byte, err error) {
	r, _, err := Open(object, find, identities...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		next, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, next.Change.Row)
	}
}

// sampled is a dictionary of such rows, as who opens its object has it.
func sampled(t *testing.T, o Options, identities ...age.Identity) *Dictionary {
	t.Helper()
	var content []byte
	for i := range int64(500) {
		content = append(content, row(i*31+5)...)
	}
	made, object, err := NewDictionary(content, o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := OpenDictionary(object, identities...)
	if err != nil || d.Name != made.Name || !bytes.Equal(d.content, content) {
		t.Fatalf("the dictionary %s is read as %+v, %v", made.Name, d, err)
	}
	return d
}

// TestBehindADictionary: a small object is much smaller behind a dictionary and names it; a large one
// is not behind it.
func TestBehindADictionary(t *testing.T) {
	own, err := age.ParseX25519Identity(identity)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {Recipients: []age.Recipient{own.Recipient()}}} {
		d := sampled(t, o, own)
		find := func(name string) (*Dictionary, error) {
			if name != d.Name {
				return nil, fmt.Errorf("asked for the dictionary %s, expected %s", name, d.Name)
			}
			return d, nil
		}
		for _, n := range []int64{1, 30, 30} { // the dictionary is used again
			plain, _ := someRows(t, n, nil, o)
			object, h := someRows(t, n, d, o)
			if h.Dictionary != d.Name || n > 1 && len(object)-len(d.Name) > len(plain)*4/5 {
				t.Errorf("%d rows are %d bytes behind %q, and %d by themselves", n, len(object), h.Dictionary, len(plain))
			}
			want, err1 := rowsOf(plain, nil, own)
			got, err2 := rowsOf(object, find, own)
			if err1 != nil || err2 != nil || !slices.EqualFunc(got, want, bytes.Equal) || int64(len(got)) != n {
				t.Errorf("behind a dictionary there are %d rows (%v), without %d (%v)", len(got), err2, len(want), err1)
			}
		}
		if large, h := someRows(t, maxSmall/80, d, o); h.Dictionary != "" {
			t.Errorf("an object of %d bytes is behind a dictionary", h.Raw)
		} else if _, err := rowsOf(large, nil, own); err != nil {
			t.Error(err)
		}
	}
}

// TestAnotherDictionary: what is behind a dictionary is not read with another one, or as a version that
// does not know of them would.
func TestAnotherDictionary(t *testing.T) {
	object, h := someRows(t, 30, sampled(t, Options{}), Options{})
	other, _, err := NewDictionary(bytes.Repeat([]byte("other rows "), 6000), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rowsOf(object, func(string) (*Dictionary, error) { return other, nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("with another dictionary: %v", err)
	}
	gone := errors.New("gone")
	if _, err := rowsOf(object, func(string) (*Dictionary, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("without a dictionary: %v", err)
	}
	for _, wrong := range []struct{ magic, dictionary, want string }{
		{logMagic, h.Dictionary, "can be behind"},
		{behindMagic, "", "expected the name of a dictionary"},
		{behindMagic, "../../other/000000/cluster", "can be behind"},
		{"TOWLOG9\n", "", "later version of tow"},
	} {
		sealed, err := seal(wrong.magic, &Header{Dictionary: wrong.dictionary}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadHeader(sealed); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%q behind %q: %v, want %q", wrong.magic, wrong.dictionary, err, wrong.want)
		}
	}
	if _, err := ReadIndex(indexed(`[{"header":{"dictionary":"../x"}}]`)); !errors.Is(err, ErrDamaged) {
		t.Errorf("an index with a dictionary of another place: %v", err)
	}
}

// TestWhoMayReadADictionary: it is encrypted as chunks are.
func TestWhoMayReadADictionary(t *testing.T) {
	own, err := age.ParseX25519Identity(identity)
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	_, object, err := NewDictionary(row(1), Options{Recipients: []age.Recipient{own.Recipient()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDictionary(object); !errors.Is(err, ErrEncrypted) {
		t.Errorf("without an identity: %v", err)
	}
	if _, err := OpenDictionary(object, other); !errors.Is(err, ErrWrongIdentity) {
		t.Errorf("with another identity: %v", err)
	}
	if _, _, err := NewDictionary(nil, Options{}); err == nil {
		t.Error("a dictionary of nothing")
	}
	large, err := seal(dictionaryMagic, &Header{Raw: MaxDictionary + 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDictionary(large); !errors.Is(err, ErrDamaged) {
		t.Errorf("one that says it is larger than any: %v", err)
	}
}
