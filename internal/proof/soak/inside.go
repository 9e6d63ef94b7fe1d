//go:build linux

package soak

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/segment"
	"towpath.dev/internal/proof/candidate"
	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/history"
	"towpath.dev/internal/proof/lab"
	"towpath.dev/internal/proof/nemesis"
	"towpath.dev/internal/proof/verdict"
)

const members = 3

// inside is a whole run, in its lab.
func inside(o Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	nemeses, err := nemesis.Named(o.Nemeses)
	if err != nil {
		return err
	}
	steps := nemesis.Plan(o.Seed, nemeses, time.Duration(o.Seconds)*time.Second, o.ttl())
	fmt.Printf("seed %d, %d s, %d candidates, TTL %d s; logs are in %s\n", o.Seed, o.Seconds, o.Candidates, o.TTL, o.Dir)
	if o.Mutant != "" {
		fmt.Printf("with the mistake %q: %s\n", o.Mutant, mutants[o.Mutant])
	}
	for _, s := range steps {
		fmt.Println(s)
	}
	w, err := build(o)
	if err != nil {
		return err
	}
	failed := w.Run(ctx, steps, time.Duration(o.Seconds)*time.Second)
	progress, wrong := "", ""
	if failed == nil { // else something is still broken
		progress, wrong = w.progress(o), w.verify(ctx)
	}
	w.end()
	records, err := history.ReadAll(o.Dir)
	if err != nil {
		return err
	}
	began := time.Now()
	report := verdict.Of(records, nemesis.Permits(), o.ttl())
	if progress != "" {
		report.Violations = append(report.Violations, verdict.Violation{Kind: verdict.NoProgress, Text: progress})
	}
	if wrong != "" {
		report.Violations = append(report.Violations, verdict.Violation{Kind: verdict.BadBackup, Text: wrong})
	}
	fmt.Print(summary(o, report))
	fmt.Printf("judged in %s\n", time.Since(began).Round(time.Millisecond))
	return errors.Join(failed, lab.Leave(o.Dir, report))
}

// A world is what runs.
type world struct {
	nemesis.World
	observing sync.WaitGroup
}

// build starts everything.
func build(o Options) (*world, error) {
	l, err := lab.New()
	if err != nil {
		return nil, err
	}
	var hosts []*lab.Host
	for i := range members + 2 + o.Candidates {
		h, err := l.Host(fmt.Sprint("h", i))
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	w := &world{World: nemesis.World{
		TTL: o.ttl(),
	}}
	backups := filepath.Join(o.Dir, "backups")
	if err := os.MkdirAll(backups, 0o700); err != nil {
		return nil, err
	}
	if w.Store, err = blob.Open(backups, blob.Options{}); err != nil {
		return nil, err
	}
	w.Registry = backup.Generations(w.Store, cluster.Name)
	if w.Log, err = history.Open(filepath.Join(o.Dir, "nemeses"+history.Extension)); err != nil {
		return nil, err
	}
	w.Observe = func() func() { return w.observe() }
	if w.Cluster, err = cluster.Start(hosts[:members], o.Dir); err != nil {
		return nil, err
	}
	w.Register = &nemesis.Server{Host: hosts[members]}
	address := fmt.Sprint(w.Register.Host.IP, ":7000")
	w.Register.Start = func() (*lab.Process, error) {
		return w.Register.Host.Start("register", filepath.Join(o.Dir, "register.log"), lab.Role(role{Register: &registerOptions{
			Address: address, Log: filepath.Join(o.Dir, "register"+history.Extension), Guarded: o.Mutant != "unfenced",
		}}))
	}
	if err := w.Register.Begin(); err != nil {
		return nil, err
	}
	w.Uploader = &nemesis.Server{Host: hosts[members+1]}
	w.Uploader.Start = func() (*lab.Process, error) {
		return w.Uploader.Host.Start("uploader", filepath.Join(o.Dir, "uploader.log"), lab.Role(role{Uploader: &uploaderOptions{
			Endpoints: w.Cluster.Endpoints(), Backups: backups, Scratch: o.Dir,
		}}))
	}
	if err := w.Uploader.Begin(); err != nil {
		return nil, err
	}
	for i := range o.Candidates {
		c := &nemesis.Candidate{Host: hosts[members+2+i]}
		name := fmt.Sprint("c", i)
		c.Options = candidate.Options{
			Name: name, Number: i, Endpoints: shuffled(w.Cluster.Endpoints(), o.Seed+uint64(i)), Register: address,
			Registers: max(64, uint32(32*o.Seconds)), Backups: backups, Log: filepath.Join(o.Dir, name+history.Extension),
			TTL: o.ttl(), Margin: time.Duration(o.Margin) * time.Millisecond, Seed: o.Seed, Stock: o.Mutant == "stock", FromReceipt: o.Mutant == "receipt",
		}
		c.Start = func(options candidate.Options) (*lab.Process, error) {
			return c.Host.Start(name, filepath.Join(o.Dir, name+".log"), lab.Role(role{Candidate: &options}))
		}
		if err := c.Begin(); err != nil {
			return nil, err
		}
		w.Candidates = append(w.Candidates, c)
	}
	return w, nil
}

func shuffled(list []string, seed uint64) []string {
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// observe records what the store says of seats.
func (w *world) observe() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	const prefix = "election/group/"
	from := int64(1)
	if r, err := w.Cluster.Client.Get(ctx, "proof"); err == nil && r.Header.Revision > 1_000_000 {
		from = r.Header.Revision + 1 // restored: what was before is compacted
	}
	store := election.Etcd(w.Cluster.Client)
	w.observing.Go(func() {
		for ctx.Err() == nil {
			for b := range store.Watch(ctx, election.Prefix(prefix), from) {
				for _, e := range b.Events {
					if r, ok := seatRecord(strings.TrimPrefix(e.Entry.Key, prefix), e); ok {
						if err := w.Log.Write(r); err != nil {
							fmt.Fprintln(os.Stderr, "the log:", err)
						}
					}
					from = e.Entry.Modified + 1
				}
				from = max(from, b.Revision+1)
			}
			if ctx.Err() == nil { // compacted, which a new watch begins after
				if r, err := w.Cluster.Client.Get(ctx, "proof"); err == nil {
					from = r.Header.Revision + 1
				}
			}
		}
	})
	return func() {
		cancel()
		w.observing.Wait()
	}
}

// seatRecord is what an event says of a seat.
func seatRecord(key string, e election.Event) (history.Record, bool) {
	group, rest, _ := strings.Cut(key, "/")
	seat, ok := strings.CutPrefix(rest, "seat/")
	if !ok {
		return history.Record{}, false
	}
	r := history.Record{Kind: history.Freed, Seat: group + "/" + seat}
	if !e.Removed {
		var holder struct {
			Name       string
			Generation uint64
		}
		if json.Unmarshal(e.Entry.Value, &holder) != nil {
			return history.Record{}, false
		}
		r.Kind, r.Who, r.Token = history.Held, holder.Name, election.Token{Generation: holder.Generation, Revision: e.Entry.Modified}
	}
	return r, true
}

// progress waits until every seat is held, now that nothing breaks any more, and says
// which ones are not after long enough.
func (w *world) progress(o Options) string {
	if o.Mutant == "stock" {
		return "" // it has other keys
	}
	const patience = 30 * time.Second
	var missing []string
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		missing = candidate.Seats()
		for _, name := range []string{candidate.Solo, candidate.Pair, candidate.Shards} {
			g, err := election.NewGroup(election.Etcd(w.Cluster.Client), "", name)
			if err != nil {
				return err.Error()
			}
			ctx, cancel := context.WithTimeout(context.Background(), o.ttl())
			view, err := g.View(ctx)
			cancel()
			if err != nil {
				continue
			}
			for _, seat := range view.Seats {
				if seat.Candidate != "" {
					missing = slices.DeleteFunc(missing, func(m string) bool { return m == name+"/"+seat.Name })
				}
			}
		}
		if len(missing) == 0 {
			return ""
		}
		if time.Now().After(deadline) {
			return fmt.Sprintf("nothing was broken for %s, and nobody holds %s", patience, strings.Join(missing, ", "))
		}
	}
}

// verify restores what the backup has, and says what of it is not as the cluster was.
func (w *world) verify(ctx context.Context) (wrong string) {
	verified := 0
	err := backup.Verify(ctx, backup.VerifyOptions{Store: w.Store, Cluster: cluster.Name, Points: -1, Client: w.Cluster.Client}, func(f backup.Finding) {
		if verified++; errors.Is(f.Err, backup.ErrDiffers) || errors.Is(f.Err, segment.ErrDamaged) {
			wrong += fmt.Sprintf("%s: %v\n", f.What, f.Err)
		}
		fmt.Printf("the backup: %s: %s\n", f.What, cmp.Or(f.Wrong, "good"))
	})
	if err != nil || verified == 0 {
		wrong += fmt.Sprintf("%d things of the backup were verified: %v", verified, err)
	}
	return wrong
}

// end ends all processes, the register last.
func (w *world) end() {
	var ending sync.WaitGroup
	for _, c := range w.Candidates {
		ending.Go(c.End)
	}
	ending.Wait()
	w.Register.Kill()
	w.Uploader.Kill()
	w.Cluster.Close()
	_ = w.Log.Close()
}

// summary is the table at the end.
func summary(o Options, r *verdict.Report) string {
	var b strings.Builder
	row := func(what string, n any) { fmt.Fprintf(&b, "%-32s %10v\n", what, n) }
	b.WriteString("\n")
	row("guarded operations", r.Operations+r.Refused)
	row("  accepted", r.Operations)
	row("  refused", r.Refused)
	row("  outcome never heard", r.Unknown)
	row("leaderships", r.Leaderships)
	row("acquisitions seen at the store", r.Tokens)
	faults := 0
	for _, n := range r.Faults {
		faults += n
	}
	row("faults", faults)
	for _, n := range nemesis.All {
		if count := r.Faults[n.Name]; count > 0 {
			row("  "+n.Name, count)
		}
	}
	overlaps := 0
	for _, n := range r.Overlaps {
		overlaps += n
	}
	row("overlaps that a fault permits", overlaps)
	for _, n := range nemesis.All {
		if count := r.Overlaps[n.Name]; count > 0 {
			row("  "+n.Name, count)
		}
	}
	row("violations", len(r.Violations))
	for _, kind := range verdict.Kinds() {
		row("  "+kind, r.Count(kind))
	}
	for i, v := range slices.SortedStableFunc(slices.Values(r.Violations), func(a, b verdict.Violation) int { return cmp.Compare(a.Kind, b.Kind) }) {
		if i == 20 {
			fmt.Fprintf(&b, "… and %d more, in %s\n", len(r.Violations)-i, lab.ReportFile)
			break
		}
		fmt.Fprintf(&b, "%s: %s\n", v.Kind, v.Text)
	}
	fmt.Fprintf(&b, "logs and data: %s\nagain: %s\n", o.Dir, o.replay())
	return b.String()
}
