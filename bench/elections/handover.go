package elections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"towpath.dev/bench/members"
	"towpath.dev/bench/report"
	"towpath.dev/election"
)

// Groups are all measures.
var Groups = []report.Group{
	{Name: "handover", Measure: handoverRows}, {Name: "seats", Measure: seatRows}, {Name: "keepalive", Measure: keepAliveRows},
	{Name: "balance", Measure: balanceRows}, {Name: "takeover", Measure: takeoverRows}, {Name: "vanish", Measure: vanishRows},
	{Name: "overload", Measure: overloadRows},
}

const handovers = 200

// handoverRows compare the time from a resign's call to the next campaign's return,
// between two candidates that take turns, ours and etcd's in turns too. Settled: the
// next one has waited for a while. At once: it has only just begun to wait.
func handoverRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	ctx := context.Background()
	ours, stopOurs, err := ourPair(ctx, c)
	if err != nil {
		return nil, err
	}
	defer stopOurs()
	stock, stopStock, err := stockPair(ctx, c)
	if err != nil {
		return nil, err
	}
	defer stopStock()
	var rows []report.Row
	for _, pause := range []time.Duration{200 * time.Millisecond, 0} {
		var our, their []time.Duration
		for range handovers {
			took, err := ours(pause)
			if err != nil {
				return nil, err
			}
			our = append(our, took)
			if took, err = stock(pause); err != nil {
				return nil, err
			}
			their = append(their, took)
		}
		name := "hand-over, settled"
		if pause == 0 {
			name = "hand-over, at once"
		}
		p50, p50Stock, p99 := quantile(our, 0.5), quantile(their, 0.5), quantile(our, 0.99)
		rows = append(rows,
			report.Row{Name: name + ": p50 ÷ stock", Value: fmt.Sprintf("%s ÷ %s", show(p50), show(p50Stock)), Ratio: p50.Seconds() / p50Stock.Seconds(), Bar: 0.5, Note: fmt.Sprintf("of %d, in turns", handovers)},
			report.Row{Name: name + ": p99, ms", Value: fmt.Sprintf("%s (stock %s)", show(p99), show(quantile(their, 0.99))), Ratio: ms(p99), Bar: 100})
	}
	return rows, nil
}

// ourPair hands one seat to and fro between two sessions, each call once.
func ourPair(ctx context.Context, c *members.Members) (func(time.Duration) (time.Duration, error), func(), error) {
	var seats [2]*election.Seats
	var closing []func()
	stop := func() {
		for _, f := range closing {
			f()
		}
	}
	for i := range seats {
		client, err := c.Client()
		if err != nil {
			return nil, stop, err
		}
		closing = append(closing, func() { client.Close() })
		s, err := election.Open(ctx, election.Etcd(client), election.Options{Name: fmt.Sprint("p", i)})
		if err != nil {
			return nil, stop, err
		}
		closing = append(closing, func() { s.Close(ctx) })
		if seats[i], err = s.Seats("handover", election.SeatsOptions{}); err != nil {
			return nil, stop, err
		}
	}
	slices.Reverse(closing)
	holder, err := seats[0].Campaign(ctx)
	next := 1
	return func(pause time.Duration) (time.Duration, error) {
		type won struct {
			*election.Leadership
			at time.Time
		}
		got, failed := make(chan won, 1), make(chan error, 1)
		go func() {
			l, err := seats[next].Campaign(ctx)
			if err != nil {
				failed <- err
				return
			}
			got <- won{l, time.Now()}
		}()
		time.Sleep(pause + waiting)
		resigned := time.Now()
		if err := holder.Resign(ctx); err != nil {
			return 0, err
		}
		select {
		case w := <-got:
			holder, next = w.Leadership, 1-next
			return w.at.Sub(resigned), nil
		case err := <-failed:
			return 0, err
		}
	}, stop, err
}

// waiting is how long a candidate takes at most to be known as waiting.
const waiting = 25 * time.Millisecond

// stockPair is ourPair with package concurrency.
func stockPair(ctx context.Context, c *members.Members) (func(time.Duration) (time.Duration, error), func(), error) {
	var pair [2]*concurrency.Election
	var closing []func()
	stop := func() {
		for _, f := range closing {
			f()
		}
	}
	for i := range pair {
		client, err := c.Client()
		if err != nil {
			return nil, stop, err
		}
		closing = append(closing, func() { client.Close() })
		s, err := concurrency.NewSession(client, concurrency.WithTTL(10))
		if err != nil {
			return nil, stop, err
		}
		closing = append(closing, func() { s.Close() })
		pair[i] = concurrency.NewElection(s, "stock/handover")
	}
	slices.Reverse(closing)
	err := pair[0].Campaign(ctx, "0")
	holder := 0
	return func(pause time.Duration) (time.Duration, error) {
		got, failed := make(chan time.Time, 1), make(chan error, 1)
		go func() {
			if err := pair[1-holder].Campaign(ctx, "x"); err != nil {
				failed <- err
				return
			}
			got <- time.Now()
		}()
		time.Sleep(pause + waiting)
		resigned := time.Now()
		if err := pair[holder].Resign(ctx); err != nil {
			return 0, err
		}
		select {
		case at := <-got:
			holder = 1 - holder
			return at.Sub(resigned), nil
		case err := <-failed:
			return 0, err
		}
	}, stop, err
}

func quantile(of []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func show(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", ms(d))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
