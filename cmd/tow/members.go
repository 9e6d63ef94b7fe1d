//go:build !solo

// The members of the control plane's etcd: control nodes join and leave as such.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"connectrpc.com/connect"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// members is the membership of a cluster of etcd that is ours. It is part of
// api.Options.
type members struct {
	client *clientv3.Client
	self   string // this node's name
	log    *slog.Logger
}

// changeAgain is how often a change of the members is tried that etcd does not take yet:
// it adds one at a time, and only while all that vote have been heard of for some
// seconds.
const changeAgain = 500 * time.Millisecond

var errBusy = errors.New("etcd changes no members now, as another one is joining or not all of them are well: try again in a while; a join token is still good for the node that used it")

// patiently makes a change of the members as soon as etcd takes it.
func patiently[T any](ctx context.Context, change func() (T, error)) (T, error) {
	for {
		out, err := change()
		if !errors.Is(err, errBusy) && !errors.Is(err, rpctypes.ErrUnhealthy) && !errors.Is(err, rpctypes.ErrTooManyLearners) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, connect.NewError(connect.CodeUnavailable, errBusy)
		case <-time.After(changeAgain):
		}
	}
}

// Add makes a control node a member that learns and does not vote yet: a member that
// counts before it is there would make the others wait for it.
func (m *members) Add(ctx context.Context, name, peerURL string) (map[string]string, error) {
	return patiently(ctx, func() (map[string]string, error) { return m.addOnce(ctx, name, peerURL) })
}

func (m *members) addOnce(ctx context.Context, name, peerURL string) (map[string]string, error) {
	list, err := m.client.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	all := list.Members
	if !slices.ContainsFunc(all, func(o *etcdserverpb.Member) bool { return slices.Contains(o.PeerURLs, peerURL) }) {
		if slices.ContainsFunc(all, func(o *etcdserverpb.Member) bool { return o.Name == name }) {
			return nil, connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("there is a member %q of etcd at another address; end it with \"tow principal revoke %s\", or join under another name", name, name))
		}
		added, err := m.client.MemberAddAsLearner(ctx, []string{peerURL})
		if err != nil {
			return nil, err
		}
		all = added.Members
	}
	out := map[string]string{}
	for _, o := range all {
		switch {
		case slices.Contains(o.PeerURLs, peerURL):
			out[name] = peerURL
		case o.Name == "": // it was added, and has not started
			return nil, errBusy
		default:
			out[o.Name] = o.PeerURLs[0]
		}
	}
	return out, nil
}

// Remove ends a control node's membership.
func (m *members) Remove(ctx context.Context, name string) error {
	if name == m.self {
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("%s is the control node that you ask: ask another one to end it", name))
	}
	list, err := m.client.MemberList(ctx)
	if err != nil {
		return err
	}
	for _, o := range list.Members {
		if o.Name != name {
			continue
		}
		_, err := patiently(ctx, func() (*clientv3.MemberRemoveResponse, error) { return m.client.MemberRemove(ctx, o.ID) })
		if err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
			return fmt.Errorf("etcd keeps the member %s: %w", name, err)
		}
	}
	return nil
}

// move tells the cluster where this member is reached now.
func (m *members) move(ctx context.Context, id uint64, peerURL string) error {
	list, err := m.client.MemberList(ctx)
	if err != nil {
		return err
	}
	for _, o := range list.Members {
		if o.ID == id && !slices.Equal(o.PeerURLs, []string{peerURL}) {
			_, err := m.client.MemberUpdate(ctx, id, []string{peerURL})
			return err
		}
	}
	return nil
}

// promoteEvery is how often members that learn are asked whether they have learned.
const promoteEvery = 2 * time.Second

// promote lets members vote when they have learned what there is, until the context
// ends. Each control node does it, so that none has to remember who is joining.
func (m *members) promote(ctx context.Context) {
	tick := time.NewTicker(promoteEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m.promoteOnce(ctx)
	}
}

func (m *members) promoteOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, promoteEvery)
	defer cancel()
	list, err := m.client.MemberList(ctx)
	if err != nil {
		return // the store is away, which others tell
	}
	for _, o := range list.Members {
		if !o.IsLearner || o.Name == "" { // it has not started yet
			continue
		}
		if _, err := m.client.MemberPromote(ctx, o.ID); err == nil {
			m.log.Info("a member of etcd votes", "member", o.Name)
		} else if !errors.Is(err, rpctypes.ErrMemberLearnerNotReady) && !errors.Is(err, rpctypes.ErrMemberNotLearner) && ctx.Err() == nil {
			m.log.Warn("a member of etcd that learns cannot vote yet", "member", o.Name, "error", err)
		}
	}
}
