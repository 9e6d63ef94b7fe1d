package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"towpath.dev/bench/report"
)

type facts struct{}

func (b *Bench) PrintFacts(out io.Writer) {}

func (b *Bench) dollarRows() ([]report.Row, error) {
	d, err := b.day()
	if err != nil {
		return nil, err
	}
	for _, l := range d.lines {
		t, _ := json.Marshal(l)
		fmt.Println(string(t))
	}
	fmt.Printf("%+v\n", d.records)
	fmt.Println("file", d.file, "cpu", d.cpu, "basing", d.basing, "peak", d.peak>>20, "base", d.base, d.log, d.minutes, d.merged, d.zipped, d.chunks.fresh, d.chunks.all, d.full.sizes, d.checked, d.took)
	for _, x := range d.deltas {
		fmt.Println(x.name, x.made, x.meter.Usage())
	}
	fmt.Println(d.chunks.meter.Usage())
	return nil, nil
}
func (b *Bench) byteRows() ([]report.Row, error)         { return nil, nil }
func (b *Bench) restoreRows() ([]report.Row, error)      { return nil, nil }
func (b *Bench) clusterRows() ([]report.Row, error)      { return nil, nil }
func runMember(ctx context.Context, args []string) error { return nil }
