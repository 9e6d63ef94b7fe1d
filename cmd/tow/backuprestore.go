//go:build !solo

// tow backup restore: a member of etcd, as its cluster was.

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	etcdversion "go.etcd.io/etcd/api/v3/version"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/backup"
)

// backupRestore is one tow backup restore.
type backupRestore struct {
	*ui
	at         backupAt
	revision   int64
	instant    string
	dir, name  string
	data       string // a control node's folder
	initial    string
	again, dry bool
	bump       uint64
	prefix     string
}

func backupRestoreCommand(u *ui) *cobra.Command {
	r := &backupRestore{ui: u}
	c := &cobra.Command{
		Use:   "restore",
		Short: "Make a member of etcd of a backup",
		Long: `Make a member's data folder of a cluster as it was at a revision, at an instant, or at the
last revision that was kept. For a cluster of several, run the same command on the
machine of each member, with its own --name. No etcd runs meanwhile.

The cluster's revisions go on far above all that any client has seen, and a new
generation begins, so that watchers and fencing tokens never go back. If Towpath's
elections were in it, they wait until "tow cluster resume".`,
		Example: "  tow backup restore --store s3://backups/etcd --cluster prod --data-dir /var/lib/etcd --name m1 \\\n" +
			"      --initial-cluster m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380,m3=https://10.0.0.3:2380\n" +
			"  tow backup restore … --at 2026-11-27T10:15:00Z",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c.Context()) },
	}
	r.at.flags(c)
	r.at.identityFlag(c)
	f := c.Flags()
	f.Int64Var(&r.revision, "revision", 0, "restore the `REVISION`")
	f.StringVar(&r.instant, "at", "", "restore what there was at the `TIME`, as 2026-11-27T10:15:00Z")
	f.StringVar(&r.dir, "data-dir", "", "make the member's data folder `DIR`")
	f.StringVar(&r.name, "name", "", "the member's `NAME`")
	f.StringVar(&r.data, "data", "", "make the member of the control node with the data folder `DIR`, which has its trust and no etcd")
	f.StringVar(&r.initial, "initial-cluster", "", "all members of the cluster, `NAME=PEER-URL`, with commas between")
	f.BoolVar(&r.again, "again", false, "begin a restore anew, where one with the same members has begun, or nobody can say with which one has")
	f.Uint64Var(&r.bump, "bump", 1_000_000_000, "add `N` to the revision")
	f.StringVar(&r.prefix, "prefix", "election/", "elections, which wait afterwards, have keys that begin with `PREFIX`")
	f.BoolVar(&r.dry, "dry-run", false, "say what would be restored, and do nothing")
	return c
}

func (r *backupRestore) run(ctx context.Context) error {
	o, err := r.options()
	if err != nil {
		return err
	}
	plan, err := backup.PlanRestore(ctx, o)
	if err != nil {
		return err
	}
	r.show(plan)
	if r.dry {
		return nil
	}
	begun := time.Now()
	done, err := plan.Run(ctx)
	if err != nil && !errors.Is(err, backup.ErrNotNoted) {
		return err
	}
	fmt.Fprintf(r.err, "Restored in %s: HashKV %08x at revision %d, compacted at %d. It begins at revision %d.\n\n",
		time.Since(begun).Round(100*time.Millisecond), done.HashKV, plan.Target.Revision, done.Compact, done.Revision)
	if r.data != "" {
		fmt.Fprintf(r.err, "Start the control node as before: tow serve --data %s …\n", r.data)
	} else {
		etcd := ""
		if plan.Etcd != "" {
			etcd = ", as etcd " + releasesFrom(plan.Etcd) + ","
		}
		fmt.Fprintf(r.err, "Start it%s with its usual flags, and these:\n\n", etcd)
		fmt.Fprintf(r.out, "--name %s --data-dir %s --initial-cluster %s --initial-cluster-token %s\n", shellWord(r.name), shellWord(r.dir), shellWord(r.initial), done.Token)
	}
	if len(o.Members) > 1 {
		fmt.Fprintf(r.err, "\nRun the same command for the other members, with --revision %d.\n", plan.Target.Revision)
	}
	if done.Paused {
		fmt.Fprint(r.err, "\nElections wait until you have seen what differs: \"tow cluster resume\".\n")
	}
	return err // the member is there, and was not noted
}

func (r *backupRestore) options() (o backup.RestoreOptions, err error) {
	if err := r.at.named(); err != nil {
		return o, err
	}
	if err := r.own(); err != nil {
		return o, err
	}
	switch {
	case r.dir == "":
		return o, usage{errors.New("name the data folder to make with --data-dir"), ""}
	case r.name == "":
		return o, usage{errors.New("name the member with --name"), ""}
	}
	o = backup.RestoreOptions{Cluster: r.at.cluster, Revision: r.revision, DataDir: r.dir, Name: r.name, Again: r.again, Bump: r.bump, Prefix: r.prefix}
	if r.instant != "" {
		if o.At, err = parseInstant(r.instant); err != nil {
			return o, err
		}
	}
	if o.Members, err = parseMembers(r.initial); err != nil {
		return o, err
	}
	if o.Identities, err = readIdentities(r.at.identities); err != nil {
		return o, err
	}
	o.Store, err = r.at.open(r.ui)
	return o, err
}

// own fills in what a control node's folder says.
func (r *backupRestore) own() error {
	if r.data == "" {
		return nil
	}
	if r.dir != "" || r.name != "" {
		return usage{errors.New("--data says where the member is and what it is called: leave out --data-dir and --name"), ""}
	}
	trust, err := access.OpenTrust(filepath.Join(r.data, trustDir))
	if err != nil {
		return fmt.Errorf("--data %s is no control node's folder: %w; without its trust, make a cluster with \"tow init\" and restore into its folder, in place of its etcd", r.data, err)
	}
	r.dir, r.name = filepath.Join(r.data, etcdDir), trust.Node()
	if r.initial == "" {
		// It is alone, and says at its start where it listens.
		r.initial = r.name + "=https://localhost:2380"
	}
	return nil
}

// parseInstant reads a time as people write it to a machine.
func parseInstant(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage{fmt.Errorf("--at %s: expected a time with its zone, as 2026-11-27T10:15:00Z or 2026-11-27T11:15:00+01:00", text), ""}
}

// parseMembers reads what etcd takes for --initial-cluster.
func parseMembers(list string) (map[string]string, error) {
	members := map[string]string{}
	for part := range strings.SplitSeq(list, ",") {
		name, url, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found || name == "" || !strings.Contains(url, "://") {
			return nil, usage{fmt.Errorf("--initial-cluster %q: expected NAME=https://HOST:2380 of each member, with commas between, found %q", list, part), ""}
		}
		if members[name] != "" {
			url = members[name] + "," + url
		}
		members[name] = url
	}
	return members, nil
}

// shellWord is a word as shells read it.
func shellWord(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]#~!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// show says what would be restored.
func (r *backupRestore) show(p *backup.Restore) {
	seen := ""
	if !p.Target.Time.IsZero() {
		seen = ", last seen to be the newest at " + p.Target.Time.UTC().Format("2006-01-02 15:04:05Z")
	}
	fmt.Fprintf(r.err, "%s, generation %d, at revision %d%s\n", r.at.cluster, p.From, p.Target.Revision, seen)
	if p.Ends {
		fmt.Fprintf(r.err, "  the backup ends there: of what changed between then and %s, if anything did, it has nothing\n", r.instant)
	}
	fmt.Fprintf(r.err, "  of the base of revision %d and %s, %s in all\n", p.Base, count(p.Objects, "object"), size(int(p.Bytes)))
	fmt.Fprintf(r.err, "  users and roles as of %s, when that base was made\n", stamp(p.BaseTime))
	if r.data == "" && p.Etcd != "" {
		fmt.Fprintf(r.err, "  for etcd %s\n", releasesFrom(p.Etcd))
	}
	how := "begins"
	if p.Joins {
		how = "joins"
	}
	for _, u := range p.Unknown {
		fmt.Fprintf(r.err, "  above revision %d, which generation %d is supposed to have come to: %v\n", u.Reached, u.Generation, u.Why)
	}
	fmt.Fprintf(r.err, "  into %s, as the member %s, which %s generation %d\n", r.dir, r.name, how, p.Into)
}

// releasesFrom is the minor releases of etcd from one on, up to the one that comes with tow.
func releasesFrom(first string) string {
	if first == etcdversion.APIVersion {
		return first
	}
	return first + " to " + etcdversion.APIVersion
}
