package memstore_test

import (
	"testing"

	"towpath.dev/internal/control"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/storetest"
)

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) control.Store {
		s := memstore.New()
		t.Cleanup(s.Close)
		return s
	})
}
