// Package candidate is a process that wants to lead and, where it does, writes to the
// register as fast as it can, with several batches under way. It is a careless leader: it looks
// whether it leads before it sends a batch, and not whether it still does when the batch
// arrives. To refuse that is the register's part.
package candidate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/history"
)

// Options are what a candidate's process needs to know.
type Options struct {
	Name        string
	Number      int // of the candidate: what it writes is told apart by it
	Incarnation int // of the process: as well
	Endpoints   []string
	Register    string // its address
	Registers   uint32 // how many a seat has
	Backups     string // the folder of backups, which the registry of generations is beside
	Log         string
	TTL         time.Duration
	Margin      time.Duration // 0 is election's default
	Seed        uint64

	Rate        float64 // of its clock; 0 is 1
	Stock       bool    // campaign with etcd's own package
	FromReceipt bool    // measure the lease's time from the answer
}

// What all candidates campaign in.
const (
	Solo   = "solo"   // one seat
	Pair   = "pair"   // two seats
	Shards = "shards" // partitions
)

// Partitions are the names of the shards.
func Partitions() []string { return []string{"a", "b", "c", "d"} }

// Seats are the names of all seats.
func Seats() []string {
	seats := []string{Solo + "/0", Pair + "/0", Pair + "/1"}
	for _, p := range Partitions() {
		seats = append(seats, Shards+"/"+p)
	}
	return seats
}

// process is what a candidate has while it runs.
type process struct {
	Options
	log      *history.Log
	writer   *writer
	slow     slowness
	clientv3 *clientv3.Client

	mu  sync.Mutex
	rng *rand.Rand
}

// Run campaigns and leads until its input ends, which has commands, one a line.
func Run(o Options, commands io.Reader) error {
	log, err := history.Open(o.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	p := &process{Options: o, log: log, rng: rand.New(rand.NewPCG(o.Seed, uint64(o.Number)<<32|uint64(o.Incarnation)))}
	p.clientv3, err = clientv3.New(clientv3.Config{
		Endpoints: o.Endpoints, Logger: zap.NewNop(),
		DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second,
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return p.slow.dial(ctx, strings.TrimPrefix(address, "http://"))
		})},
	})
	if err != nil {
		return err
	}
	defer p.clientv3.Close()
	p.writer = newWriter(o, log)
	defer p.writer.close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			var err error
			if o.Stock {
				err = p.stock(ctx)
			} else {
				err = p.session(ctx)
			}
			fmt.Fprintln(os.Stderr, history.Now(), "the session has ended:", err)
			p.wait(ctx, 100*time.Millisecond)
		}
	})
	for in := bufio.NewScanner(commands); in.Scan(); {
		if err := p.command(in.Text()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	cancel()
	running.Wait()
	return nil
}

func (p *process) command(line string) error {
	what, how, _ := strings.Cut(line, " ")
	d, err := time.ParseDuration(how)
	if what != "slow" || err != nil {
		return fmt.Errorf("the command %q: expected slow DURATION", line)
	}
	p.slow.set(d)
	return nil
}

func (p *process) wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// between draws a duration.
func (p *process) between(from, to time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return from + rand.N(to-from)
}

// session is the life of one session.
func (p *process) session(ctx context.Context) error {
	store := election.Etcd(p.clientv3)
	if p.FromReceipt {
		store = fromReceipt{store}
	}
	o := election.Options{
		Name: p.Name, TTL: p.TTL, Margin: p.Margin,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if p.Backups != "" {
		backups, err := blob.Open(p.Backups, blob.Options{})
		if err != nil {
			return err
		}
		o.Registry = backup.Generations(backups, cluster.Name)
	}
	if p.Rate != 0 {
		o.Clock = rated(p.Rate)
	}
	opening, cancel := context.WithTimeout(ctx, p.TTL)
	s, err := election.Open(opening, store, o)
	cancel()
	if err != nil {
		return err
	}
	solo, err1 := s.Seats(Solo, election.SeatsOptions{})
	pair, err2 := s.Seats(Pair, election.SeatsOptions{Seats: 2})
	shards, err3 := s.Partitions(Shards, election.PartitionsOptions{Partitions: Partitions(), Settle: p.TTL / 2})
	if err := errors.Join(err1, err2, err3); err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	var running sync.WaitGroup
	for _, run := range []func(context.Context, func(context.Context, *election.Leadership) error) error{solo.Run, pair.Run, shards.Run} {
		running.Go(func() {
			for ctx.Err() == nil && s.Err() == nil {
				if err := run(ctx, p.lead); !errors.Is(err, errEnough) {
					return
				}
			}
		})
	}
	running.Wait()
	cause := s.Err()
	return errors.Join(cause, s.Close(ctx))
}

// errEnough is why a leader resigns on its own.
var errEnough = errors.New("it has led for long enough")

// lead leads until it must not any more, or has enough of it.
func (p *process) lead(ctx context.Context, l *election.Leadership) error {
	enough := p.between(p.TTL/2, 10*p.TTL)
	f := l.Fence()
	p.writer.lead(ctx, leadership{f.Seat, f.Token, func() bool { return ctx.Err() == nil && l.Err() == nil }}, enough)
	if ctx.Err() == nil {
		return errEnough
	}
	return ctx.Err()
}
