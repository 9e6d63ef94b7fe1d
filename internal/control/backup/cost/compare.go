package cost

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Comparison is the bills of several ways to keep backups of a cluster, ours first.
type Comparison struct {
	Sheet    Sheet
	Shape    Shape    // with its defaults
	Schedule Schedule // with its defaults
	Bills    []Bill
	// AllStandard is the total of ours if no object were in the class Infrequent.
	AllStandard float64
}

// Compare makes the bill of a month of a schedule, and those of other ways under the same
// retention. It fails if the shape or the schedule make no sense.
func Compare(sheet Sheet, shape Shape, schedule Schedule) (Comparison, error) {
	shape, err := shape.filled()
	if err != nil {
		return Comparison{}, err
	}
	if schedule, err = schedule.filled(); err != nil {
		return Comparison{}, err
	}
	c := Comparison{Sheet: sheet, Shape: shape, Schedule: schedule}
	add := func(name string, u Usage, loses time.Duration, restores, note string) {
		b := sheet.Bill(name, u)
		b.Loses, b.Restores, b.Note = length(loses), restores, note
		c.Bills = append(c.Bills, b)
	}
	unmerged, standard := schedule, schedule
	unmerged.Unmerged, standard.Standard = true, true
	c.AllStandard = sheet.Bill("", ours(sheet, shape, standard)).Total
	policy := schedule.Keep.String()
	if !schedule.Unmerged {
		add("Towpath", ours(sheet, shape, schedule), schedule.Every, policy, "")
	}
	add("Towpath, not merged", ours(sheet, shape, unmerged), schedule.Every, "any revision",
		"Minutes stay as they were uploaded, and nothing is thinned; all of them are listed every hour.")
	add("snapshots, hourly", full(shape, schedule, time.Hour), time.Hour, "whole hours, then days",
		"As \"etcdctl snapshot save\" writes them, not compressed; in parts of 128 MiB.")
	add("snapshots, minutely", full(shape, schedule, time.Minute), time.Minute, "whole minutes, then hours, then days", "The same each minute.")
	add("restic, hourly", chunked(shape, schedule), time.Hour, "whole hours, then days",
		"Chunks of 1 MiB by content, each once, by zstd; without what listing, locking and pruning cost.")
	add("gardener, default", gardenerDefault(shape), 5*time.Minute, "5 minutes for a day, days for a week, weeks for a month: less than all others",
		"The scheme of etcd-backup-restore as in the example of etcd-druid: a full snapshot a day, deltas of 5 min, gzip.")
	add("gardener, like ours", gardenerLikeOurs(shape, schedule), schedule.Every, "each delta for as long as minutes or hours are kept, then days",
		fmt.Sprintf("The same with deltas of %s, and as much kept.", length(schedule.Every)))
	return c, nil
}

// length writes a time as people do.
func length(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%v s", d.Seconds())
}

// JSON is a comparison for programs.
func (c Comparison) JSON() ([]byte, error) {
	type prices struct {
		Name     string `json:"name"`
		Date     string `json:"date"`
		Source   string `json:"source"`
		Currency string `json:"currency"`
	}
	return json.MarshalIndent(struct {
		Prices      prices  `json:"prices"`
		Keep        string  `json:"keep"`
		Every       string  `json:"every"`
		Reads       float64 `json:"reads"` // of each stored byte in a month
		Bills       []Bill  `json:"bills"`
		AllStandard float64 `json:"allStandard"`
	}{prices{c.Sheet.Name, c.Sheet.Date, c.Sheet.Source, c.Sheet.Currency}, c.Schedule.Keep.String(), c.Schedule.Every.String(), c.Schedule.Reads, c.Bills, c.AllStandard}, "", "  ")
}
