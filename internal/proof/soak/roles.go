//go:build linux

package soak

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/register"
)

// registerOptions are what the register's process needs to know.
type registerOptions struct {
	Address string
	Log     string
	Guarded bool
}

// uploaderOptions are what the process needs to know that keeps the cluster's backup.
type uploaderOptions struct {
	Endpoints []string
	Backups   string // the folder
	Scratch   string
}

// inputEnds ends the context when the input does: then the run is over.
func inputEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

func runMember(o cluster.MemberOptions) error { return cluster.RunMember(inputEnds(), o) }

func runRegister(o registerOptions) error {
	s, err := register.Open(o.Log, o.Guarded)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(inputEnds(), func() { l.Close() })()
	return s.Serve(l)
}

// runUploader keeps a backup of the cluster, a second behind at the most, while nothing breaks.
func runUploader(o uploaderOptions) error {
	store, err := blob.Open(o.Backups, blob.Options{})
	if err != nil {
		return err
	}
	dial := func(endpoints ...string) (*clientv3.Client, error) {
		return clientv3.New(clientv3.Config{
			Endpoints: endpoints, Logger: zap.NewNop(),
			DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second,
		})
	}
	client, err := dial(o.Endpoints...)
	if err != nil {
		return err
	}
	defer client.Close()
	err = backup.RunElected(inputEnds(), backup.Options{
		Source: backup.Source{Client: client, Dial: func(endpoint string) (*clientv3.Client, error) { return dial(endpoint) }},
		Store:  store, Cluster: cluster.Name, Every: time.Second, Scratch: o.Scratch, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if errors.Is(err, context.Canceled) {
		return nil // the run is over
	}
	return err
}
