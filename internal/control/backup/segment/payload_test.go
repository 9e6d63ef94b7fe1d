package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestEncoderAgain: an encoder that has had other payloads before makes of a payload
// the same bytes as a new one: two uploaders do not disagree.
func TestEncoderAgain(t *testing.T) {
	random := rand.New(rand.NewPCG(5018, 1))
	payload := func(size int) []byte {
		var b bytes.Buffer
		for b.Len() < size {
			fmt.Fprintf(&b, "k/%03d=%d;", random.IntN(200), random.IntN(1000))
		}
		return b.Bytes()
	}
	packed := func(b []byte) []byte {
		t.Helper()
		p := newPacker(Options{})
		for part := range bytes.SplitAfterSeq(b, []byte(";")) {
			p.write(part)
		}
		object, _, err := p.close(nil)
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	drain := func() (was bool) {
		select {
		case <-spare:
			return true
		default:
			return false
		}
	}
	sizes := []int{1, 1000, maxSmall / 4, maxSmall + 1}
	if !testing.Short() {
		sizes = append(sizes, 20<<20) // several windows
	}
	for _, size := range sizes {
		b := payload(size)
		drain()
		fresh := packed(b)
		packed(payload(size/2 + 1000))
		if again := packed(b); !bytes.Equal(again, fresh) {
			t.Errorf("of %d bytes a new encoder makes %d, another one %d, or others", size, len(fresh), len(again))
		}
		if !drain() {
			t.Error("no encoder was kept")
		}
	}
}
