package blob

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStall has the other side of a connection say something every now and then, and then
// nothing any more.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer func() { _ = theirs.Close() }()
		connection := &impatient{ours}
		defer func() { _ = connection.Close() }()
		go func() {
			for range 5 {
				time.Sleep(stall - time.Second)
				_, _ = theirs.Write([]byte("x")) // or it is said below
			}
		}()
		for i := range 5 {
			if _, err := connection.Read(make([]byte, 1)); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		start := time.Now()
		_, err := connection.Read(make([]byte, 1))
		if err == nil || !strings.HasPrefix(err.Error(), "nothing happened on the connection for 1m0s: ") || time.Since(start) != stall {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if _, err := connection.Write([]byte("x")); err == nil || !strings.HasPrefix(err.Error(), "nothing happened on the connection for 1m0s: ") {
			t.Error(err)
		}
	})
}
