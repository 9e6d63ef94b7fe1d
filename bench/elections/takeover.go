package elections

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"towpath.dev/bench/members"
	"towpath.dev/bench/process"
	"towpath.dev/bench/report"
	"towpath.dev/election"
)

// runHolder campaigns, says when it leads, and leads until it is killed.
func runHolder(ctx context.Context, args []string) error {
	kind, endpoints, group, ttl := args[0], args[1], args[2], args[3]
	client, err := members.Connect(strings.Split(endpoints, ",")...)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(ttl)
	if err != nil {
		return err
	}
	if kind == "stock" {
		s, err := concurrency.NewSession(client, concurrency.WithTTL(int(d.Seconds())))
		if err != nil {
			return err
		}
		if err := concurrency.NewElection(s, group).Campaign(ctx, "x"); err != nil {
			return err
		}
		fmt.Println("leads", time.Now().UnixNano())
		<-s.Done()
		return nil
	}
	s, err := election.Open(ctx, election.Etcd(client), election.Options{TTL: d, Early: &election.Early{}})
	if err != nil {
		return err
	}
	seats, err := s.Seats(group, election.SeatsOptions{})
	if err != nil {
		return err
	}
	l, err := seats.Campaign(ctx)
	if err != nil {
		return err
	}
	fmt.Println("leads", time.Now().UnixNano())
	<-l.Done()
	return nil
}

// takeovers is how long the next of a row of candidates takes to lead, each time that
// the one that leads is struck.
func takeovers(c *members.Members, kind, group string, ttl time.Duration, rounds int, strike func(*process.Process) error) ([]time.Duration, error) {
	begin := func() (*process.Process, error) {
		return process.Start("holder", kind, strings.Join(c.Endpoints, ","), group, ttl.String())
	}
	holder, err := begin()
	if err != nil {
		return nil, err
	}
	defer func() { holder.Kill() }()
	if _, err := holder.Expect("leads"); err != nil {
		return nil, err
	}
	var took []time.Duration
	for range rounds {
		next, err := begin()
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Second) // it waits by now, and is connected
		struck := time.Now()
		if err := strike(holder); err != nil {
			next.Kill()
			return nil, err
		}
		text, err := next.Expect("leads")
		holder.Kill()
		holder = next
		if err != nil {
			return nil, err
		}
		var at int64
		if _, err := fmt.Sscan(text, &at); err != nil {
			return nil, err
		}
		took = append(took, time.Unix(0, at).Sub(struck))
	}
	return took, nil
}

func kill(p *process.Process) error { return p.Signal(syscall.SIGKILL) }

// freeze is what a host that vanishes looks like from elsewhere: it says nothing any
// more, and closes nothing.
func freeze(p *process.Process) error { return p.Signal(syscall.SIGSTOP) }

// takeoverRows kill processes that lead.
func takeoverRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	ours, err := takeovers(c, "ours", "takeover", 10*time.Second, 100, kill)
	if err != nil {
		return nil, err
	}
	stock, err := takeovers(c, "stock", "takeover", 10*time.Second, 3, kill)
	if err != nil {
		return nil, err
	}
	p99 := quantile(ours, 0.99)
	return []report.Row{{
		Name: "takeover after SIGKILL, TTL 10 s: p99, ms", Value: show(p99), Ratio: ms(p99), Bar: 500,
		Note: fmt.Sprintf("of 100, p50 %s; stock: %s to %s", show(quantile(ours, 0.5)), show(quantile(stock, 0)), show(quantile(stock, 1))),
	}}, nil
}

// vanishRows freeze processes that lead, and with them the member that does.
func vanishRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	const ttl = 5 * time.Second
	took, err := takeovers(c, "ours", "vanish", ttl, 5, freeze)
	if err != nil {
		return nil, err
	}
	worst := quantile(took, 1)
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var frozen *process.Process
	both, err := takeovers(c, "ours", "vanish-both", ttl, 4, func(p *process.Process) error {
		if frozen != nil { // the last round's
			if err := frozen.Signal(syscall.SIGCONT); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		leader, err := c.Leader(ctx, client)
		if err != nil {
			return err
		}
		frozen = c.All[leader]
		if err := freeze(p); err != nil {
			return err
		}
		return freeze(frozen)
	})
	if err != nil {
		return nil, err
	}
	most := quantile(both, 1)
	return []report.Row{
		{Name: "takeover after a host vanishes ÷ TTL", Value: show(worst), Ratio: worst.Seconds() / ttl.Seconds(), Bar: 1.2, Note: "the worst of 5, TTL 5 s; frozen, so that nothing closes"},
		{Name: "… with etcd's leader: s over 2 × TTL", Value: show(most), Ratio: (most - 2*ttl).Seconds(), Bar: 2, Note: "the worst of 4"},
	}, nil
}
