package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
)

// TestRoom: there is room for so much at once, and who waits for it is told when it takes too
// long.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		leave, err := r.take(t.Context(), 2*mostInMemory, time.Minute) // as much as there is
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := r.take(t.Context(), 1, time.Minute); connect.CodeOf(err) != connect.CodeUnavailable || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		gone, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("left"))
		if _, err := r.take(gone, 1, time.Minute); err == nil || err.Error() != "left" {
			t.Errorf("%v", err)
		}
		time.AfterFunc(time.Second, leave)
		if _, err := r.take(t.Context(), mostInMemory, time.Minute); err != nil {
			t.Error(err)
		}
	})
}
