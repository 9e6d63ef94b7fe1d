//go:build !solo

// tow serve --role responder without programs: a node that runs what is deployed to its
// environment.

package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// fleetDir is the folder in a node's data that has releases, and what it shall run.
const fleetDir = "fleet"

// memoryFile is the file in it that says what the node shall run.
const memoryFile = "memory.json"

// readyTime is for how long a node that starts listens to nobody, at most, while it takes up what it
// ran before.
const readyTime = 30 * time.Second

// fleetNode runs what is deployed, until the context ends.
func (s *serving) fleetNode(ctx context.Context, m *membership, dir string) error {
	name, environment, err := m.identity()
	if err != nil {
		return err
	}
	if environment == "" {
		return errors.New("this node joined no environment, and so nothing can be deployed to it: join it again with a token of \"tow join-token create --env NAME\"")
	}
	dir = filepath.Join(dir, fleetDir)
	disk, err := release.OpenDisk(filepath.Join(dir, "releases"))
	if err != nil {
		return err
	}
	cache := filepath.Join(dir, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	log := s.logger()
	outage, err := s.outage()
	if err != nil {
		return err
	}
	link := &fleetLink{m: m, log: log, cell: s.cell, address: s.reachedAt(), incarnation: rand.Text()}
	stock := &fleet.Stock{Environment: environment, Disk: disk, From: append(outage.sources(), link)}
	keeper := fleet.KeeperFile(filepath.Join(dir, memoryFile))
	kills := fleet.ReadKills(os.DirFS("/"))
	var self *fleet.Self
	if s.upgradable {
		if self, err = ownTow(environment); err != nil {
			return fmt.Errorf("--upgradable: %w", err)
		}
		if err := launch(self, disk, keeper, kills, log); err != nil {
			return err
		}
	}
	if err := outage.begin(ctx, link, stock, keeper, s.cell); err != nil {
		log.Error("the node does not know what to run, and waits for a control node", "error", err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	until, drain := context.WithCancel(ctx)
	defer drain()
	var next *fleet.Successor
	var running sync.WaitGroup
	err = s.answer(until, func(ctx context.Context, r *responder) (func(context.Context), error) {
		host := &fleetHost{responder: r, disk: disk, cache: cache, placed: map[string]placement{}}
		agent, err := fleet.NewAgent(fleet.Options{
			Node: name, Environment: environment, Cell: s.cell, Region: s.region, Address: link.address,
			Version: version(), Incarnation: link.incarnation, ABI: abi.Version, Capacity: float64(runtime.GOMAXPROCS(0)),
			Host: host, Link: link, Objects: stock, Keeper: keeper, Roots: outage.trust(), Policies: outage.policies(), Self: self, Kills: kills, Log: log,
		})
		if err != nil {
			return nil, err
		}
		r.server.Stale(agent.Stale)
		fmt.Fprintf(s.err, "Node %s of %s, cell %s\n", name, environment, s.cell)
		running.Go(func() {
			switch err := agent.Run(until); {
			case errors.As(err, &next):
				log.Info("the node drains, to be another tow", "release", or(next.Release.Short(), "the one that is installed"))
				drain()
			case until.Err() == nil:
				log.Error("the node no longer follows what is deployed; it serves on", "error", err)
			}
		})
		select { // who asks before would be told that there is nothing here
		case <-agent.Ready():
		case <-until.Done():
		case <-time.After(readyTime):
		}
		return func(ctx context.Context) {
			host.own.listens(s.at)
			<-ctx.Done()
			drain()
			running.Wait()
		}, nil
	})
	drain()
	running.Wait() // where it could not listen
	if err != nil || next == nil || ctx.Err() != nil {
		return err
	}
	return succeed(next, disk)
}

// identity is who the node is by its certificate.
func (m *membership) identity() (name, environment string, err error) {
	text, err := os.ReadFile(m.file("node.pem"))
	if err != nil {
		return "", "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", "", fmt.Errorf("%s holds no certificate: remove the node's data, and join again", m.file("node.pem"))
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", m.file("node.pem"), err)
	}
	p, _, err := access.Identity(c)
	return p.Name, p.Environment, err
}
