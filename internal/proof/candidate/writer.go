package candidate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/proof/history"
	"towpath.dev/internal/proof/register"
)

const (
	batchSize = 16
	writers   = 4 // of one leadership
	// hurry is for how long a writer waits for an answer before it sends its next batch
	// regardless, so that a cut network has batches in it that arrive late.
	hurry = 20 * time.Millisecond
	// work is for how long at most a writer is busy between looking whether it leads and
	// sending what it did: whoever stops it then finds a write that is as good as sent.
	work = 20 * time.Millisecond
	// redial is for how long the register is left alone when it cannot be reached.
	redial = 50 * time.Millisecond
	// giveUp is when an answer is waited for no longer. It is long: what was sent before a
	// cut may arrive long after it.
	giveUp = 20 * time.Second
)

// writer writes to the register for all leaderships of a process.
type writer struct {
	Options
	log     *history.Log
	numbers atomic.Uint64 // of batches
	values  atomic.Uint64
	sending sync.WaitGroup

	mu     sync.Mutex
	client *register.Client
}

func newWriter(o Options, log *history.Log) *writer {
	w := &writer{Options: o, log: log}
	w.numbers.Store(uint64(o.Incarnation) << 32)
	w.values.Store(uint64(o.Number+1)<<48 | uint64(o.Incarnation)<<36)
	return w
}

func (w *writer) close() {
	w.mu.Lock()
	if w.client != nil {
		w.client.Close()
	}
	w.mu.Unlock()
	w.sending.Wait()
}

// connected is a client of the register.
func (w *writer) connected() (*register.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		select {
		case <-w.client.Ended():
			w.client.Close()
			w.client = nil
		default:
			return w.client, nil
		}
	}
	conn, err := net.DialTimeout("tcp", w.Register, time.Second)
	if err != nil {
		return nil, err
	}
	w.client = register.NewClient(conn)
	return w.client, nil
}

// A leadership is what writing needs to know of one.
type leadership struct {
	seat  string
	token election.Token
	holds func() bool
}

// lead writes while a leadership holds, but not for longer than enough. It does not
// wait for answers when it returns: batches under way arrive when they do.
func (w *writer) lead(ctx context.Context, l leadership, enough time.Duration) {
	believed := w.believe(l, history.Now())
	if believed == 0 {
		return
	}
	w.record(history.Record{At: believed, Kind: history.Began, Who: w.Name, Seat: l.seat, Token: l.token})
	var last atomic.Int64
	last.Store(believed)
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for ctx.Err() == nil {
				now := w.believe(l, history.Now())
				if now == 0 {
					return
				}
				later(&last, now)
				time.Sleep(rand.N(work))
				if !w.batch(ctx, l) {
					select {
					case <-time.After(redial):
					case <-ctx.Done():
					}
				}
			}
		})
	}
	writing.Wait()
	w.record(history.Record{At: last.Load(), Kind: history.Ended, Who: w.Name, Seat: l.seat, Token: l.token})
}

// believe is the time it was given if the leadership holds, which is asked afterwards, else 0.
func (w *writer) believe(l leadership, now int64) int64 {
	if l.holds() {
		return now
	}
	return 0
}

// later raises a time.
func later(t *atomic.Int64, to int64) {
	for {
		was := t.Load()
		if was >= to || t.CompareAndSwap(was, to) {
			return
		}
	}
}

// batch sends a batch and waits for its answer a little. It reports whether to go on.
func (w *writer) batch(ctx context.Context, l leadership) bool {
	client, err := w.connected()
	if err != nil {
		return false
	}
	b := register.Batch{Who: w.Name, Number: w.numbers.Add(1), Seat: l.seat, Token: l.token, Ops: make([]history.Op, batchSize)}
	for i := range b.Ops {
		b.Ops[i].Register = rand.Uint32N(w.Registers)
		if rand.IntN(4) > 0 {
			b.Ops[i].Value = w.values.Add(1)
		}
	}
	w.record(history.Record{Kind: history.Call, Who: w.Name, Batch: b.Number, Seat: b.Seat, Token: b.Token, Ops: b.Ops})
	heard := make(chan bool, 1)
	w.sending.Go(func() {
		select {
		case a, ok := <-client.Send(b):
			if ok {
				r := history.Record{Kind: history.Answer, Who: w.Name, Batch: b.Number, Values: a.Values}
				if a.Refused {
					r.Kind = history.Denial
				}
				w.record(r)
			}
			heard <- ok
		case <-time.After(giveUp):
			heard <- false
		}
	})
	select {
	case ok := <-heard:
		return ok
	case <-time.After(hurry):
		return true
	case <-ctx.Done():
		return true
	}
}

func (w *writer) record(r history.Record) {
	if err := w.log.Write(r); err != nil {
		fmt.Fprintln(os.Stderr, "the log:", err)
		os.Exit(1) // what is not logged must not happen
	}
}
