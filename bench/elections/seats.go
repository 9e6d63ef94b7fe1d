package elections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"towpath.dev/bench/members"
	"towpath.dev/bench/process"
	"towpath.dev/bench/report"
	"towpath.dev/election"
)

const (
	allSeats = 10_000
	crowd    = 10 // processes
)

// seatRows take ten thousand seats by ten processes, ours and with one transaction of
// package concurrency's kind a seat.
func seatRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	var our, their []time.Duration
	for round := range 3 {
		for _, kind := range []string{"ours", "stock"} {
			took, err := fill(c, kind, round)
			if err != nil {
				return nil, err
			}
			if kind == "ours" {
				our = append(our, took)
			} else {
				their = append(their, took)
			}
		}
	}
	a, b := quantile(our, 0.5), quantile(their, 0.5)
	return []report.Row{
		{Name: "10,000 seats, 10 processes: s", Value: show(a), Ratio: a.Seconds(), Bar: 3, Note: "from the signal to the last seat held"},
		{Name: "stock ÷ 10,000 seats", Value: fmt.Sprintf("%s ÷ %s", show(b), show(a)), Ratio: b.Seconds() / a.Seconds(), Bar: 5, Least: true, Note: "stock: an Election a seat, campaigned for by each process one after another"},
	}, nil
}

func fill(c *members.Members, kind string, round int) (time.Duration, error) {
	var all []*process.Process
	defer func() {
		for _, p := range all {
			p.Kill()
		}
	}()
	for i := range crowd {
		p, err := process.Start("crowd", kind, strings.Join(c.Endpoints, ","), fmt.Sprint(kind, round), strconv.Itoa(i))
		if err != nil {
			return 0, err
		}
		all = append(all, p)
	}
	for _, p := range all {
		if _, err := p.Expect("ready"); err != nil {
			return 0, err
		}
	}
	begun := time.Now()
	for _, p := range all {
		if err := errors.Join(p.Say("go"), p.Flush()); err != nil {
			return 0, err
		}
	}
	for _, p := range all {
		if _, err := p.Expect("held"); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

// runCrowd is one process of a crowd: it takes its tenth of the seats when told to.
func runCrowd(ctx context.Context, args []string) error {
	kind, endpoints, group, number := args[0], args[1], args[2], args[3]
	client, err := members.Connect(strings.Split(endpoints, ",")...)
	if err != nil {
		return err
	}
	defer client.Close()
	take, err := ourTaker(ctx, client, group)
	if kind == "stock" {
		take, err = stockTaker(ctx, client, group, number)
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var word string
	if _, err := fmt.Scanln(&word); err != nil {
		return err
	}
	if err := take(); err != nil {
		return err
	}
	fmt.Println("held")
	fmt.Scanln(&word)
	return nil
}

func ourTaker(ctx context.Context, client *clientv3.Client, group string) (func() error, error) {
	s, err := election.Open(ctx, election.Etcd(client), election.Options{})
	if err != nil {
		return nil, err
	}
	seats, err := s.Seats(group, election.SeatsOptions{Seats: allSeats, Hold: allSeats / crowd})
	if err != nil {
		return nil, err
	}
	return func() error {
		var all sync.WaitGroup
		failed := make(chan error, 1)
		for range allSeats / crowd {
			all.Go(func() {
				if _, err := seats.Campaign(ctx); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
		all.Wait()
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}, nil
}

func stockTaker(ctx context.Context, client *clientv3.Client, group, number string) (func() error, error) {
	s, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	if err != nil {
		return nil, err
	}
	return func() error {
		for i := range allSeats / crowd {
			e := concurrency.NewElection(s, fmt.Sprintf("%s/%s/%d", group, number, i))
			if err := e.Campaign(ctx, number); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// keepAliveRows count the renewals of a session with a thousand seats beside one with
// a single seat.
func keepAliveRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	counts := make([]float64, 2)
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i, n := range []int{1, 1000} {
		both.Go(func() { counts[i], errs[i] = renewals(c, n) })
	}
	both.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return []report.Row{{Name: "renewals: 1,000 seats ÷ 1 seat", Value: fmt.Sprintf("%.0f ÷ %.0f", counts[1], counts[0]), Ratio: counts[1] / counts[0], Bar: 1, Note: "in four TTLs"}}, nil
}

func renewals(c *members.Members, seats int) (float64, error) {
	client, err := c.Client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx := context.Background()
	metrics := election.NewMetrics()
	const ttl = 3 * time.Second
	s, err := election.Open(ctx, election.Etcd(client), election.Options{TTL: ttl, Metric: metrics})
	if err != nil {
		return 0, err
	}
	defer s.Close(ctx)
	group, err := s.Seats(fmt.Sprint("keepalive", seats), election.SeatsOptions{Seats: seats, Hold: seats})
	if err != nil {
		return 0, err
	}
	var all sync.WaitGroup
	for range seats {
		all.Go(func() { _, err = group.Campaign(ctx) })
	}
	all.Wait()
	before := renewed(metrics)
	time.Sleep(4*ttl + ttl/6)
	return renewed(metrics) - before, s.Err()
}

// renewed is how many renewals there were.
func renewed(m *election.Metrics) float64 {
	collected := make(chan prometheus.Metric, 100)
	m.Collect(collected)
	close(collected)
	n := 0.0
	for metric := range collected {
		var text dto.Metric
		if strings.Contains(metric.Desc().String(), "election_renewal_seconds") && metric.Write(&text) == nil {
			n += float64(text.GetHistogram().GetSampleCount())
		}
	}
	return n
}

// balanceRows try the default policy at many sizes: how uneven it is, and how much
// more than its share moves when a candidate comes or goes.
func balanceRows() ([]report.Row, error) {
	imbalance, extra := 0, -1<<30
	for n := 1; n <= 40; n++ {
		for _, partitions := range []int{1, 7, 100, 500, 1009} {
			var names []string
			for i := range partitions {
				names = append(names, fmt.Sprintf("p%04d", i))
			}
			slices.Sort(names)
			var candidates []election.Candidate
			for i := range n {
				candidates = append(candidates, election.Candidate{ID: fmt.Sprintf("c%02d", i)})
			}
			before := election.Balanced.Assign(names, candidates, map[string]string{})
			for _, change := range []string{"join", "leave"} {
				after, moved, limit := candidates, 0, 0
				current := map[string]string{}
				for p, c := range before {
					current[p] = c
				}
				if change == "join" {
					after = append(slices.Clone(candidates), election.Candidate{ID: "new"})
					limit = (partitions+n-1)/n + 1
				} else if n > 1 {
					gone := candidates[n/2].ID
					after = slices.DeleteFunc(slices.Clone(candidates), func(c election.Candidate) bool { return c.ID == gone })
					limit = (partitions+n-1)/n + 1
					for p, c := range current {
						if c == gone {
							delete(current, p)
						}
					}
				}
				counts := map[string]int{}
				for p, c := range election.Balanced.Assign(names, after, current) {
					counts[c]++
					if before[p] != c {
						moved++
					}
				}
				least, most := partitions, 0
				for _, c := range after {
					least, most = min(least, counts[c.ID]), max(most, counts[c.ID])
				}
				imbalance = max(imbalance, most-least)
				extra = max(extra, moved-limit)
			}
		}
	}
	return []report.Row{
		{Name: "imbalance", Value: fmt.Sprint(imbalance), Ratio: float64(imbalance), Bar: 1, Note: "1 to 41 candidates, 1 to 1,009 partitions, one joins or leaves"},
		{Name: "moves − (⌈seats/n⌉ + 1)", Value: fmt.Sprint(extra), Ratio: float64(extra), Bar: 0, Note: "the most of all of them"},
	}, nil
}
