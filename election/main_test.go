package election_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"towpath.dev/election"
	"towpath.dev/internal/testkit/etcd"
)

// TestMain runs the tests, or is one of the processes that they start and kill.
func TestMain(m *testing.M) {
	if endpoints := os.Getenv("ELECTION_TEST_HOLDER"); endpoints != "" {
		if err := hold(strings.Split(endpoints, ",")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, etcd.Leftovers()...)
}

// hold leads the group "early" until the process is killed.
func hold(endpoints []string) error {
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	s, err := election.Open(ctx, election.Etcd(client), election.Options{TTL: time.Minute, Early: &election.Early{}, Name: "holder"})
	if err != nil {
		return err
	}
	seats, err := s.Seats("early", election.SeatsOptions{})
	if err != nil {
		return err
	}
	l, err := seats.Campaign(ctx)
	if err != nil {
		return err
	}
	fmt.Println("leads", l.Token())
	<-l.Done()
	return context.Cause(l)
}
