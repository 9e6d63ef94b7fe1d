//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/proof/lab"
)

// A Cluster is the members. One goroutine may use it.
type Cluster struct {
	Hosts   []*lab.Host
	Client  *clientv3.Client // of all members
	dir     string
	members []*member
	life    int // counts restores
}

type member struct {
	options MemberOptions
	process *lab.Process // nil while it does not run
}

// Start starts a member on each host, with their data in a folder. The processes have a
// role (see lab.Role) whose field Member is their options.
func Start(hosts []*lab.Host, dir string) (*Cluster, error) {
	c := &Cluster{Hosts: hosts, dir: dir}
	for i, h := range hosts {
		c.members = append(c.members, &member{options: MemberOptions{
			Name: c.name(i), Dir: c.folder(i), IP: h.IP.String(), Cluster: c.all(), Token: "proof",
		}})
	}
	var err error
	c.Client, err = clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), Logger: zap.NewNop(), DialTimeout: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	return c, c.startAll()
}

func (c *Cluster) name(i int) string { return fmt.Sprint("m", i) }
func (c *Cluster) folder(i int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s-%d", c.name(i), c.life))
}

func (c *Cluster) all() string {
	var all []string
	for i, h := range c.Hosts {
		all = append(all, c.name(i)+"="+at(h.IP.String(), peerPort))
	}
	return strings.Join(all, ",")
}

// Endpoints are where clients reach the members.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, h := range c.Hosts {
		all = append(all, at(h.IP.String(), clientPort))
	}
	return all
}

func (c *Cluster) startAll() error {
	for i := range c.members {
		if err := c.Start(i); err != nil {
			return err
		}
	}
	return c.await()
}

// Start starts a member that does not run.
func (c *Cluster) Start(i int) error {
	m := c.members[i]
	var err error
	m.process, err = c.Hosts[i].Start(m.options.Name, filepath.Join(c.dir, m.options.Name+".log"), lab.Role(struct{ Member MemberOptions }{m.options}))
	return err
}

// Process is a member's.
func (c *Cluster) Process(i int) *lab.Process { return c.members[i].process }

// await waits until the cluster has a leader.
func (c *Cluster) await() error {
	return c.try("a leader", func(ctx context.Context) error {
		_, err := c.Client.Get(ctx, "proof")
		return err
	})
}

// try asks until it works.
func (c *Cluster) try(what string, f func(context.Context) error) error {
	deadline := time.Now().Add(ready)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		err := f(ctx)
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the cluster: no %s within %s: %w", what, ready, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Leader is which member leads.
func (c *Cluster) Leader() (int, error) {
	leader := -1
	err := c.try("answer who leads", func(ctx context.Context) error {
		for i, endpoint := range c.Endpoints() {
			ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			status, err := c.Client.Status(ctx, endpoint)
			cancel()
			if err == nil && status.Leader == status.Header.MemberId {
				leader = i
				return nil
			}
		}
		return errors.New("no member says that it leads")
	})
	return leader, err
}

// Replace removes a member with its data, and has a new one take its place: first as a
// learner, and as a voter once it has caught up.
func (c *Cluster) Replace(i int) error {
	c.members[i].process.Kill()
	var id uint64
	if err := c.try("removal of a member", func(ctx context.Context) error {
		list, err := c.Client.MemberList(ctx)
		if err != nil {
			return err
		}
		for _, m := range list.Members {
			if m.PeerURLs[0] == at(c.Hosts[i].IP.String(), peerPort) {
				_, err = c.Client.MemberRemove(ctx, m.ID)
				return errors.Join(err, errors.New("it is removed: look again"))
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := os.RemoveAll(c.members[i].options.Dir); err != nil {
		return err
	}
	c.members[i].options.Join = true
	if err := c.try("new member", func(ctx context.Context) error {
		list, err := c.Client.MemberList(ctx)
		if err != nil {
			return err
		}
		for _, m := range list.Members {
			if m.PeerURLs[0] == at(c.Hosts[i].IP.String(), peerPort) {
				id = m.ID
				return nil
			}
		}
		_, err = c.Client.MemberAddAsLearner(ctx, []string{at(c.Hosts[i].IP.String(), peerPort)})
		return errors.Join(err, errors.New("it is added: look again"))
	}); err != nil {
		return err
	}
	if err := c.Start(i); err != nil {
		return err
	}
	return c.try("promotion of the learner", func(ctx context.Context) error {
		_, err := c.Client.MemberPromote(ctx, id)
		if errors.Is(err, rpctypes.ErrMemberNotLearner) {
			return nil // an answer was lost
		}
		return err
	})
}

// Name is the cluster's in the store of its backups.
const Name = "proof"

// Restore stops all members and starts new ones, each of which was restored from the cluster's
// backup by itself: what the options say, as to what and from where.
func (c *Cluster) Restore(ctx context.Context, o backup.RestoreOptions) (backup.Restored, error) {
	for _, m := range c.members {
		m.process.Kill()
	}
	c.life++
	o.Cluster, o.Members = Name, map[string]string{}
	for i, m := range c.members {
		o.Members[m.options.Name] = at(c.Hosts[i].IP.String(), peerPort)
	}
	var done backup.Restored
	for i, m := range c.members {
		o.Name, o.DataDir = m.options.Name, c.folder(i)
		plan, err := backup.PlanRestore(ctx, o)
		if err == nil {
			done, err = plan.Run(ctx)
		}
		if err != nil {
			return done, fmt.Errorf("restoring %s: %w", m.options.Name, err)
		}
		if plan.Joins != (i > 0) {
			return done, fmt.Errorf("restoring %s: it joins another member's restore: %v; it is member %d", m.options.Name, plan.Joins, i)
		}
		m.options.Dir, m.options.Join, m.options.Token = o.DataDir, false, done.Token
		o.Revision, o.At = plan.Target.Revision, time.Time{} // as the first command says
	}
	return done, c.startAll()
}

// Close kills all members.
func (c *Cluster) Close() {
	for _, m := range c.members {
		if m.process != nil {
			m.process.Kill()
		}
	}
	_ = c.Client.Close() // says that its context has ended
}
