package backups

import (
	"fmt"
	"time"

	"towpath.dev/bench/report"
	"towpath.dev/internal/control/backup/cost"
)

// bars are the least ratios of what others cost by what ours does; 0 is none.
type bars struct{ full, minutely, chunks, deltas float64 }

// dollarRows compare what a month costs.
func (b *Bench) dollarRows() ([]report.Row, error) {
	d, err := b.day()
	if err != nil {
		return nil, err
	}
	if d.sharing == nil {
		if d.sharing, err = b.meterShared(); err != nil {
			return nil, err
		}
	}
	b.facts.day = d
	large, err := d.compare("8 GiB", eightGiB/float64(d.file), bars{178, 5000, 25, 2})
	if err != nil {
		return nil, err
	}
	small, err := d.compare(fmt.Sprintf("%.0f MB", float64(d.file)/1e6), 1, bars{15, 900, 0, 0})
	return append(large, small...), err
}

func (d *day) compare(name string, scale float64, least bars) ([]report.Row, error) {
	ours, err1 := d.month(scale)
	shared, err2 := d.sharedMonth(scale, d.sharing)
	for _, err := range []error{err1, err2} {
		if err != nil {
			return nil, err
		}
	}
	sheet := cost.DefaultSheet()
	dollars := func(u cost.Usage) float64 { return sheet.Bill("", u).Total }
	var rows []report.Row
	add := func(what string, theirs, ours cost.Usage, bar float64, note string) {
		rows = append(rows, report.Row{
			Name: name + ": " + what, Value: fmt.Sprintf("$%.2f ÷ $%.3f", dollars(theirs), dollars(ours)), Ratio: dollars(theirs) / dollars(ours), Bar: bar, Least: true,
			Note: note + fmt.Sprintf("; were all of theirs in the cheaper class: %.3g", dollars(infrequent(theirs))/dollars(ours)),
		})
	}
	add("hourly full snapshots", d.fulls(scale, 1), ours, least.full, "they lose an hour")
	add("the same, one of 20 that share an uploader", d.fulls(scale, 1), shared, 0, "by the requests of one")
	add("minutely full snapshots", d.fulls(scale, 60), ours, least.minutely, "computed of the hourly ones")
	add("hourly restic-style chunks", d.chunkMonth(scale), ours, least.chunks, "they lose an hour")
	for _, x := range d.deltas {
		bar := 0.0
		if x.period == time.Minute {
			bar = least.deltas
		}
		add(fmt.Sprintf("etcd-backup-restore, %s", x.period), d.deltaMonth(x, scale, 1), ours, bar,
			fmt.Sprintf("one request an object; with the three that it takes of S3: %.3g", dollars(d.deltaMonth(x, scale, 3))/dollars(ours)))
	}
	return rows, nil
}

// byteRows are what an hour adds, and whether it is what the source had.
func (b *Bench) byteRows() ([]report.Row, error) {
	d, err := b.day()
	if err != nil {
		return nil, err
	}
	b.facts.day = d
	var first float64
	for _, n := range d.minutes {
		first += float64(n) / 1e6 / float64(len(d.minutes))
	}
	stored := float64(d.log.Size) / 1e6 / 24
	show := func(name string, mb float64, note string) report.Row {
		return report.Row{Name: name, Value: fmt.Sprintf("%.3f MB", mb), Ratio: mb, Bar: 0.65, Note: note}
	}
	return []report.Row{
		show("new bytes an hour, as first uploaded", first, fmt.Sprintf("60 objects of %.0f records each", float64(d.records.records)*changing/60)),
		show("new bytes an hour, as stored by days", stored, fmt.Sprintf("by hours %.3f MB", float64(d.merged)/1e6)),
		{
			Name: fmt.Sprintf("of %d revisions, those with the source's HashKV", hashes), Value: fmt.Sprint(d.checked), Ratio: float64(d.checked), Bar: hashes, Least: true,
			Note: fmt.Sprintf("at random instants of the day, each as compacted then; restored in %.1f s", d.took.Seconds()),
		},
	}, nil
}
