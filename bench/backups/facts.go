package backups

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/cost"
)

// facts are what is worth knowing besides the rows.
type facts struct {
	day   *day
	lines []string // of other groups
}

func (f *facts) note(format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

// PrintFacts prints what was found besides the table.
func (b *Bench) PrintFacts(out io.Writer) error {
	if d := b.facts.day; d != nil {
		if err := d.print(out); err != nil {
			return err
		}
	}
	for _, line := range b.facts.lines {
		fmt.Fprintf(out, "\n%s\n", line)
	}
	return nil
}

func (d *day) print(out io.Writer) error {
	r := d.records
	fmt.Fprintf(out, "\n%d records of %.0f bytes, %.0f MB. zstd at its default level makes them %.2f times smaller in a row and %.2f times one by one, gzip %.2f and %.2f times. etcd's file has %.0f MB. %d updates in 24 hours.\n",
		r.records, float64(r.bytes)/float64(r.records), float64(r.bytes)/1e6, r.zstd, r.zstdOne, r.gzip, r.gzOne, float64(d.file)/1e6, d.log.End-d.log.Start+1)
	fmt.Fprintf(out, "\nThe uploader took %.2f s of CPU an hour, care included, and %.1f s for a base and its first verified restore. Its memory was %.0f MB at most, or %.0f MB with mapped files.\n",
		d.cpu.Seconds()/counted, d.basing.Seconds(), float64(d.anonymous)/1e6, float64(d.peak)/1e6)
	fmt.Fprintln(out, "\nOurs a month, without new bases, and what is stored on average of what does not stay:")
	if err := printRequests(out, d.lines, monthDays); err != nil {
		return err
	}
	if d.sharing == nil {
		return nil
	}
	fmt.Fprintf(out, "\nAn uploader of %d small clusters, a month:\n", sharers)
	if err := printRequests(out, d.sharing.lines, monthDays*24/sharedHours); err != nil {
		return err
	}
	if err := d.printBills(out, eightGiB/float64(d.file)); err != nil {
		return err
	}
	return d.printBills(out, 1)
}

// printRequests are requests and bytes by kind and class, so many times.
func printRequests(out io.Writer, lines []Line, times int64) error {
	names := map[blob.Class]string{blob.Standard: "standard", blob.Infrequent: "infrequent"}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "kind\tclass\tcreate\tget\thead\tlist\tdelete\tMB up\tMB down\tMB stored\t")
	for _, l := range lines {
		if l.Create+l.Get+l.Head+l.List+l.Delete > 0 && l.Kind != "base" {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.2f\t\n", l.Kind, names[l.Class], l.Create*times, l.Get*times, l.Head*times, l.List*times, l.Delete*times,
				float64(l.Up*times)/1e6, float64(l.Down*times)/1e6, l.ByteHours*float64(times)/monthDays/24/1e6)
		}
	}
	return t.Flush()
}

// printBills are all bills, side by side.
func (d *day) printBills(out io.Writer, scale float64) error {
	ours, err1 := d.month(scale)
	shared, err2 := d.sharedMonth(scale, d.sharing)
	unmerged, err3 := d.unmerged(scale)
	s, err4 := d.steadyState()
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return err
		}
	}
	sheet := cost.DefaultSheet()
	bills := []cost.Bill{
		sheet.Bill("ours", ours), sheet.Bill("ours, shared", shared), sheet.Bill("ours, unmerged", unmerged),
		sheet.Bill("full, hourly", d.fulls(scale, 1)), sheet.Bill("full, minutely", d.fulls(scale, 60)), sheet.Bill("chunks, hourly", d.chunkMonth(scale)),
	}
	for _, x := range d.deltas {
		bills = append(bills, sheet.Bill(fmt.Sprintf("deltas, %.0f s", x.period.Seconds()), d.deltaMonth(x, scale, 1)))
	}
	fmt.Fprintf(out, "\nA month of a file of %.2f GiB of which 1 %% of keys change an hour, \"%s\"; %s of %s:\n\n%s", float64(d.file)*scale/(1<<30), policy, sheet.Name, sheet.Date, cost.Table("$", bills))
	fmt.Fprintf(out, "Unmerged is computed. What ours stores is extrapolated by the catalog's own rules: a base of %.0f MB every %.1f days, %.2f of them at a time, and %.0f MB of days.\n",
		float64(d.base.Size)*scale/1e6, s.spacing, s.count, s.logs*scale/1e6)
	return d.printModel(out, scale)
}

// printModel holds the bill against that of the model.
func (d *day) printModel(out io.Writer, scale float64) error {
	keep, err := catalog.Parse(policy)
	if err != nil {
		return err
	}
	c, err := cost.Compare(cost.DefaultSheet(), cost.Shape{
		InUse: int64(float64(d.base.Raw) * scale), Change: float64(d.log.Raw) / 24 * scale, DB: int64(float64(d.file) * scale), Rows: int64(float64(d.records.records) * scale),
		BaseRatio: float64(d.base.Raw) / float64(d.base.Size), LogRatio: float64(d.log.Raw) / float64(d.log.Size),
	}, cost.Schedule{Keep: keep, Every: time.Minute})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The model of \"tow backup cost\" says $%.3f for ours.\n", c.Bills[0].Total)
	return nil
}
