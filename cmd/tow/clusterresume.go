//go:build !solo

// tow cluster resume: after a restore, letting controllers go on.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/control/fleet"
)

// clusterResume is one tow cluster resume.
type clusterResume struct {
	*ui
	etcd   etcdFlags
	at     backupAt
	prefix string
	sure   bool
	dry    bool

	objects blob.Store // nil if no backups were named
}

func clusterResumeCommand(u *ui) *cobra.Command {
	r := &clusterResume{ui: u}
	c := &cobra.Command{
		Use:   "resume",
		Short: "Let elections go on after a restore",
		Long: `After a restore nobody is elected, so that no controller carries out what was decided
before the backup on nodes that have gone on since. This shows what the restored
state says beside what nodes do now; when you agree, all that was held and waited for
then is dropped, and elections begin.`,
		Example: "  tow cluster resume --data /var/lib/towpath\n" +
			"  tow cluster resume --endpoints https://etcd-1:2379 --store s3://backups/etcd --cluster prod",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c.Context()) },
	}
	r.etcd.flags(c)
	r.at.flags(c)
	c.Flags().StringVar(&r.prefix, "prefix", "election/", "elections have keys that begin with `PREFIX`")
	c.Flags().BoolVar(&r.dry, "dry-run", false, "show what differs, and let nothing go on")
	c.Flags().BoolVar(&r.sure, "yes", false, "go on without asking")
	return c
}

func (r *clusterResume) run(ctx context.Context) error {
	registry, err := r.registry()
	if err != nil {
		return err
	}
	c, err := r.etcd.open(ctx)
	if err != nil {
		return err
	}
	defer closed(c)
	store := etcdstore.New(c)
	pending, waits, err := election.Pending(ctx, store, r.prefix)
	if err != nil {
		return r.etcd.told(err)
	}
	if !waits {
		fmt.Fprintf(r.err, "Nothing waits: elections go on in generation %d.\n", pending.Number)
		return nil
	}
	if err := r.show(ctx, store, pending); err != nil {
		return err
	}
	if r.dry {
		fmt.Fprintln(r.err, "\nElections wait: --yes, in place of --dry-run, lets them go on.")
		return nil
	}
	if err := r.agreed(r.sure, "Let elections go on?", "what differs is above: say --yes to let elections go on"); err != nil {
		return err
	}
	if r.objects != nil {
		if err := blob.Probe(ctx, r.objects); err != nil { // a claim is worth nothing in a store that overwrites
			return err
		}
		if err := backup.Mend(ctx, r.objects, r.at.cluster, pending.Number, pending.Claim); err != nil {
			return err
		}
	}
	begun, err := election.Resume(ctx, store, r.prefix, registry)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.err, "Elections go on in generation %d.\n", begun.Number)
	return nil
}

// registry is where restores are known outside the cluster: beside its backups, if these are
// named.
func (r *clusterResume) registry() (election.Registry, error) {
	if r.at.store == "" {
		return nil, nil
	}
	if err := r.at.named(); err != nil {
		return nil, err
	}
	store, err := r.at.open(r.ui)
	if err != nil {
		return nil, err
	}
	r.objects = store
	return backup.Generations(store, r.at.cluster), nil
}

// show says where the restored state and what nodes do now differ.
func (r *clusterResume) show(ctx context.Context, store control.Store, pending election.Generation) error {
	fmt.Fprintf(r.out, "Restored into generation %d, from what there was before revision %d.\n", pending.Number, pending.Mark)
	groups, err := election.Groups(ctx, store, r.prefix)
	if err != nil {
		return err
	}
	held := 0
	for _, name := range groups {
		g, err := election.NewGroup(store, r.prefix, name)
		if err != nil {
			return err
		}
		v, err := g.View(ctx)
		if err != nil {
			return err
		}
		for _, s := range v.Seats {
			if s.Candidate != "" {
				if held++; held == 1 {
					fmt.Fprintf(r.out, "\nHeld then, and free when you go on:\n")
				}
				fmt.Fprintf(r.out, "  %s/%s by %s\n", name, s.Name, or(s.Holder, s.Candidate))
			}
		}
	}
	if held == 0 {
		fmt.Fprintf(r.out, "\nNothing was held then.\n")
	}
	return r.showNodes(ctx, store, pending)
}

// showNodes says which nodes were attached then, and which are now.
func (r *clusterResume) showNodes(ctx context.Context, store control.Store, pending election.Generation) error {
	page, err := store.Range(ctx, election.Span{Keys: election.Prefix("nodes/")})
	if err != nil {
		return err
	}
	if len(page.Entries) > 0 {
		fmt.Fprintf(r.out, "\nNodes:\n")
	}
	for _, e := range page.Entries {
		var n struct{ Environment, Address, Version, Since string }
		if err := json.Unmarshal(e.Value, &n); err != nil {
			continue // not a node of ours
		}
		state := "attached then, and not back yet"
		if e.Modified > pending.Mark {
			state = "attached since " + n.Since
		}
		fmt.Fprintf(r.out, "  %s of %s %s: %s\n", strings.TrimPrefix(e.Key, "nodes/"), n.Environment, n.Address, state)
	}
	return r.showMoves(ctx, store)
}

// showMoves says which nodes run something else than the restored intents say, and so would
// run when elections go on.
func (r *clusterResume) showMoves(ctx context.Context, store control.Store) error {
	page, err := store.Range(ctx, election.Span{Keys: election.Prefix(fleet.Prefix)})
	if err != nil {
		return err
	}
	intents := map[[3]string]*fleet.Intent{} // by environment, cell and program
	for _, e := range page.Entries {
		if environment, cell, program, ok := fleet.ParseIntentKey(e.Key); ok {
			if intents[[3]string{environment, cell, program}], err = fleet.DecodeIntent(e.Key, e.Value); err != nil {
				return err
			}
		}
	}
	moves := 0
	nodes, err := fleet.Statuses(page.Entries)
	if err != nil {
		return err
	}
	for _, of := range slices.SortedFunc(maps.Keys(nodes), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		environment, node, s := of[0], of[1], nodes[of]
		for _, key := range slices.SortedFunc(maps.Keys(intents), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
			i := intents[key]
			runs, shall := s.Programs[key[2]].Main, i.RoleOf(node).Main
			if key[0] != environment || key[1] != s.Cell || runs == shall {
				continue
			}
			if moves++; moves == 1 {
				fmt.Fprintf(r.out, "\nNodes that will run something else when you go on:\n")
			}
			fmt.Fprintf(r.out, "  %s of %s: %s, %s instead of %s\n", node, environment, key[2], or(shall.Short(), "nothing"), or(runs.Short(), "nothing"))
		}
	}
	if moves > 0 {
		fmt.Fprintf(r.out, "Where that is not what you want, deploy what you want as soon as elections go on.\n")
	}
	return nil
}
