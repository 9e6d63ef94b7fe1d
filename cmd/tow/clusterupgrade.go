//go:build !solo

// tow cluster upgrade --check and downgrade --check: whether a cluster is ready for another
// release of etcd.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/maintain/upgrade"
)

// upgrading is one tow cluster upgrade, or downgrade.
type upgrading struct {
	*ui
	etcd        etcdFlags
	way         upgrade.Way
	backups     backupAt
	check, json bool
}

func upgradeCommand(u *ui) *cobra.Command {
	return (&upgrading{ui: u, way: upgrade.Up}).command("upgrade", "Check whether a cluster is ready for a later release of etcd",
		`Look whether a cluster of etcd is ready to be upgraded to a release, and say of all that
is not in order what to do: members that are not well, releases that are too far apart or
have a mistake that shows on the way, alarms, learners, data that differs between members,
a backup that is behind, settings that are no more.`,
		"  tow cluster upgrade --check 3.7.3 --endpoints https://etcd-1:2379 --cacert ca.pem --store s3://backups/etcd --cluster prod\n"+
			"  tow cluster upgrade --check 3.7 --endpoints http://127.0.0.1:2379 --json")
}

func downgradeCommand(u *ui) *cobra.Command {
	return (&upgrading{ui: u, way: upgrade.Down}).command("downgrade", "Check whether a cluster is ready for an earlier release of etcd",
		`Look whether a cluster of etcd is ready to go back to the minor release before its own,
which takes 3.6 or later, and say of all that is not in order what to do.`,
		"  tow cluster downgrade --check 3.6 --endpoints https://etcd-1:2379 --cacert ca.pem")
}

func (g *upgrading) command(name, short, long, example string) *cobra.Command {
	c := &cobra.Command{
		Use:   name + " --check VERSION",
		Short: short,
		Long: long + `

Nothing is changed: members are restarted one at a time by who runs them, the leader
last. It exits with 1 if something is not in order.`,
		Example: example,
		Args:    exactly("a release of etcd, as in 3.7.3"),
		RunE:    func(c *cobra.Command, args []string) error { return g.run(c.Context(), name, args[0]) },
	}
	f := c.Flags()
	f.BoolVar(&g.check, "check", false, "look whether the cluster is ready")
	f.BoolVar(&g.json, "json", false, "print JSON")
	g.backups.flags(c)
	g.etcd.flags(c)
	return c
}

func (g *upgrading) run(ctx context.Context, name, version string) error {
	target, err := upgrade.ParseVersion(version)
	if err != nil {
		return usage{err, ""}
	}
	if !g.check {
		return usage{fmt.Errorf("members are restarted by who runs them, and tow says whether they are ready: \"tow cluster %s --check %s\"", name, version), ""}
	}
	if g.backups.cluster != "" && g.backups.store == "" {
		return usage{errors.New("--cluster names a cluster in a store of backups: name that with --store"), ""}
	}
	config, err := g.etcd.config()
	if err != nil {
		return err
	}
	client, err := g.etcd.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = closed(client) }()
	own, o := g.etcd.isOwn(), upgrade.Options{}
	if own {
		o.Peers = config.TLS
	}
	if g.way == upgrade.Down {
		o.Downgrade = &target
	}
	facts, err := upgrade.Look(ctx, client, o)
	if err != nil {
		return g.etcd.told(err)
	}
	facts.Own = own
	if g.backups.store != "" {
		facts.Backup = g.lookBackup(ctx)
	}
	return g.show(target, upgrade.Check(facts, target, g.way))
}

// lookBackup is how far a backup is.
func (g *upgrading) lookBackup(ctx context.Context) *upgrade.Backup {
	if err := g.backups.named(); err != nil {
		return &upgrade.Backup{Err: err.Error()}
	}
	store, err := g.backups.open(g.ui)
	if err != nil {
		return &upgrade.Backup{Err: err.Error()}
	}
	all, err := backup.List(ctx, store, g.backups.cluster)
	switch {
	case err != nil:
		return &upgrade.Backup{Err: fmt.Sprintf("it cannot be looked at: %v", err)}
	case len(all) == 0:
		return &upgrade.Backup{Err: fmt.Sprintf("%s has none of the cluster %s", store, g.backups.cluster)}
	}
	last := slices.MaxFunc(all, func(a, b backup.Listing) int { return int(a.Generation) - int(b.Generation) }).Last
	if last.Revision == 0 {
		return &upgrade.Backup{Err: "nothing can be restored of it yet"}
	}
	return &upgrade.Backup{Revision: last.Revision, Time: last.Time}
}

// show prints the list, and fails if something is not in order.
func (g *upgrading) show(target upgrade.Version, all []upgrade.Checked) error {
	ready := upgrade.Ready(all)
	if g.json {
		text, err := json.MarshalIndent(map[string]any{"target": target.String(), "ready": ready, "checks": all}, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(g.out, "%s\n", text)
	} else {
		failed, notes := 0, 0
		for _, c := range all {
			mark := g.tick()
			switch c.State {
			case upgrade.Fail:
				mark = g.cross()
				failed++
			case upgrade.Note:
				mark = g.mark(cyan, "·", "note")
				notes++
			}
			fmt.Fprintf(g.out, "%s %s: %s\n", mark, c.Name, printable(c.Found))
			if c.Next != "" {
				fmt.Fprintf(g.out, "    %s\n", printable(c.Next))
			}
		}
		switch {
		case failed > 0:
			fmt.Fprintf(g.out, "\nNot ready for %s: see to %s first.\n", target, count(failed, "point"))
		case notes > 0:
			fmt.Fprintf(g.out, "\nReady for %s, once you have read %s.\n", target, count(notes, "note"))
		default:
			fmt.Fprintf(g.out, "\nReady for %s.\n", target)
		}
	}
	if !ready {
		return errWrong
	}
	return nil
}
