package register_test

import (
	"net"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"towpath.dev/election"
	"towpath.dev/internal/proof/history"
	"towpath.dev/internal/proof/register"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves what a log says, until the test ends or stop is called.
func serve(t *testing.T, log string, guarded bool) (client *register.Client, stop func()) {
	t.Helper()
	s, err := register.Open(log, guarded)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client = register.NewClient(conn)
	return client, func() {
		client.Close()
		l.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func batch(number uint64, revision int64, ops ...history.Op) register.Batch {
	return register.Batch{Who: "a", Number: number, Seat: "s/0", Token: election.Token{Revision: revision}, Ops: ops}
}

func write(value uint64) history.Op { return history.Op{Register: 1, Value: value} }

var read = history.Op{Register: 1}

// TestMarkIsDurable: what was accepted, and the mark with it, is there after a restart.
func TestMarkIsDurable(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	client, stop := serve(t, log, true)
	expect := func(b register.Batch, refused bool, values ...uint64) {
		t.Helper()
		a, ok := <-client.Send(b)
		if !ok || a.Refused != refused || !slices.Equal(a.Values, values) || a.Number != b.Number {
			t.Errorf("batch %d: %+v, %v; expected refused %v, values %v", b.Number, a, ok, refused, values)
		}
	}
	expect(batch(1, 10, read, write(1), read), false, 0, 1)
	expect(batch(2, 12, write(2)), false)
	expect(batch(3, 11, write(3)), true)
	stop()
	client, stop = serve(t, log, true)
	expect(batch(4, 11, write(4)), true)
	expect(batch(5, 12, read), false, 2)
	stop()
	if _, ok := <-client.Send(batch(6, 12, read)); ok {
		t.Error("a connection that has ended answers")
	}
	records, err := history.Read(log)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []history.Kind
	for _, r := range records {
		kinds = append(kinds, r.Kind)
	}
	if !slices.Equal(kinds, []history.Kind{history.Accepted, history.Accepted, history.Refused, history.Refused, history.Accepted}) {
		t.Errorf("the log has %v", kinds)
	}
}

// TestUnguarded: the mistake that a run has to find out.
func TestUnguarded(t *testing.T) {
	client, stop := serve(t, filepath.Join(t.TempDir(), "log"), false)
	defer stop()
	<-client.Send(batch(1, 12, write(1)))
	if a, ok := <-client.Send(batch(2, 11, write(2))); !ok || a.Refused {
		t.Errorf("%+v, %v", a, ok)
	}
}
