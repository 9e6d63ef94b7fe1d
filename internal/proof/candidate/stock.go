package candidate

import (
	"context"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"towpath.dev/election"
)

// stock is a session of etcd's own package, whose mistakes a run has to find out.
func (p *process) stock(ctx context.Context) error {
	s, err := concurrency.NewSession(p.clientv3, concurrency.WithTTL(int(p.TTL/time.Second)), concurrency.WithContext(ctx))
	if err != nil {
		return err
	}
	defer s.Close()
	e := concurrency.NewElection(s, "stock")
	leading, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		select {
		case <-s.Done():
		case <-leading.Done():
		}
	}()
	for leading.Err() == nil {
		if err := e.Campaign(leading, p.Name); err != nil {
			return err
		}
		l := leadership{Solo + "/0", election.Token{Revision: e.Rev()}, func() bool { return leading.Err() == nil }}
		p.writer.lead(leading, l, p.between(p.TTL/2, 10*p.TTL))
		if err := e.Resign(leading); err != nil {
			return err
		}
	}
	return leading.Err()
}
