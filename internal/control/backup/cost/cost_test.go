package cost_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/cost"
)

const day = 24 * time.Hour

func policy(t testing.TB) catalog.Policy {
	t.Helper()
	p, err := catalog.Parse("any minute for 2 days, hours for 2 weeks, days for 3 months")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ExampleCompare() {
	keep, err := catalog.Parse("any minute for 2 days, hours for 2 weeks, days for 3 months")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := cost.Compare(cost.DefaultSheet(),
		cost.Shape{InUse: 2 << 30, DB: 3 << 30, Change: 20 << 20},
		cost.Schedule{Keep: keep})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(c.Text())
	// Output:
	// A month of AWS S3, us-east-1; prices of 2026-11-01 (https://aws.amazon.com/s3/pricing/)
	//
	//                        Towpath     Towpath  snapshots  snapshots  restic  gardener   gardener
	//                                 not merged     hourly   minutely  hourly   default  like ours
	// loses at most            1 min       1 min        1 h      1 min     1 h     5 min      1 min
	// storage, standard       $0.039       $0.28     $28.43       $224   $7.12     $0.21      $1.61
	// storage, infrequent      $0.14      $0.027          –          –       –         –          –
	// PUT, standard            $0.22       $0.22     $0.094      $5.62   $0.18     $0.15      $0.67
	// PUT, infrequent        $0.0031    $0.00069          –          –       –         –          –
	// LIST                    $0.029       $2.16          –          –       –  $0.00030    $0.0063
	// GET, standard          $0.0013      $0.037          –          –       –         –          –
	// GET, infrequent       $0.00064    $0.00016          –          –       –         –          –
	// reading, infrequent     $0.075      $0.012          –          –       –         –          –
	// total                    $0.51       $2.73     $28.52       $229   $7.30     $0.36      $2.29
	// × as much as Towpath                   5.3         55        446      14      0.71        4.4
	//
	// Towpath: restores to any minute for 2 days, hours for 2 weeks, days for 3 months.
	// Towpath, not merged: restores to any revision. Minutes stay as they were uploaded, and nothing is thinned; all of them are listed every hour.
	// snapshots, hourly: restores to whole hours, then days. As "etcdctl snapshot save" writes them, not compressed; in parts of 128 MiB.
	// snapshots, minutely: restores to whole minutes, then hours, then days. The same each minute.
	// restic, hourly: restores to whole hours, then days. Chunks of 1 MiB by content, each once, by zstd; without what listing, locking and pruning cost.
	// gardener, default: restores to 5 minutes for a day, days for a week, weeks for a month: less than all others. The scheme of etcd-backup-restore as in the example of etcd-druid: a full snapshot a day, deltas of 5 min, gzip.
	// gardener, like ours: restores to each delta for as long as minutes or hours are kept, then days. The same with deltas of 1 min, and as much kept.
	//
	// Verification reads each stored byte 0.33 times a month. With that, the class Infrequent saves $0.044 of $0.56.
}

// TestSheet says what the embedded sheet has, so that nobody changes it unawares.
func TestSheet(t *testing.T) {
	want := cost.Sheet{
		Name: "AWS S3, us-east-1", Source: "https://aws.amazon.com/s3/pricing/", Date: "2026-11-01", Currency: "$",
		Standard:   cost.Prices{Storage: 0.023, Put: 0.005, Get: 0.0004},
		Infrequent: cost.Prices{Storage: 0.0125, Put: 0.01, Get: 0.001, Retrieval: 0.01, MinSize: 128 << 10, MinLife: 30 * day},
	}
	if got := cost.DefaultSheet(); got != want {
		t.Errorf("DefaultSheet() = %+v, want %+v", got, want)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	files, err := filepath.Glob("prices/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, text, want string }{
		{`put     = 0.005`, `pot     = 0.005`, "s.toml:13:1: standard.pot is no key of a price sheet; those are name, date, source, currency and, in [standard] and [infrequent], storage, put, get, retrieval, minimum-size and minimum-days"},
		{`put     = 0.005`, ``, "s.toml: standard.put is missing; it is the price of 1,000 PUT, COPY, POST and LIST"},
		{`put     = 0.005`, `put     = -1`, "s.toml: standard.put is -1; the price of 1,000 PUT, COPY, POST and LIST is 0 or more"},
		{`put     = 0.005`, `put     = nan`, "s.toml: standard.put is NaN; the price of 1,000 PUT, COPY, POST and LIST is 0 or more"},
		{`put     = 0.005`, `put     = "half a cent"`, "s.toml:13:11: standard.put is of another type than in the sheet that comes with Towpath: prices and minima are numbers"},
		{`put     = 0.005`, `put     = `, "s.toml:13:13: "},
		{`put     = 0.005`, `put     = 0`, ""},
		{`date     = 2026-11-01`, ``, "s.toml: date is missing; write it as in date = 2026-11-01"},
		{`currency = "$"`, ``, `s.toml: currency is missing; write it as in currency = "$"`},
		{`[infrequent]`, `[rare]`, "s.toml:16:2: rare is no key of a price sheet"},
		{`minimum-days = 30`, `minimum-days = -30`, "s.toml: infrequent.minimum-size is 131072 and minimum-days -30; they are bytes and days, 0 or more and 3650 days at most"},
	} {
		changed := strings.Replace(string(text), test.old, test.text, 1)
		if changed == string(text) {
			t.Fatalf("%q is not in the sheet", test.old)
		}
		if _, err := cost.Load("s.toml", []byte(changed)); err == nil && test.want == "" {
			continue
		} else if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("with %q: %v\nwant %s", test.text, err, test.want)
		}
	}
	if _, err := cost.Load("s.toml", []byte(strings.Split(string(text), "[infrequent]")[0])); err == nil || err.Error() != "s.toml: the table [infrequent] is missing; a store with one class has the same prices in both" {
		t.Errorf("without a table: %v", err)
	}
}

func TestClass(t *testing.T) {
	for _, test := range []struct {
		what  string
		size  int64
		life  time.Duration
		reads float64
		want  blob.Class
	}{
		{"a day's log for two days", 32 << 20, 2 * day, 2, blob.Standard},
		{"a base for three months, read twice", 8 << 20, 90 * day, 2, blob.Infrequent},
		{"a base for three months, read once a month", 8 << 20, 90 * day, 4, blob.Standard},
		{"a small object for a year", 20 << 10, 365 * day, 0, blob.Standard},
		{"an object for half a month", 8 << 20, 15 * day, 0, blob.Standard},
		{"an object for a month, not read", 8 << 20, 30 * day, 0, blob.Infrequent},
		{"an object for a month, read twice", 8 << 20, 30 * day, 2, blob.Standard},
	} {
		if got := cost.DefaultSheet().Class(test.size, test.life, test.reads); got != test.want {
			t.Errorf("%s: class %v, want %v", test.what, got, test.want)
		}
	}
}

// TestFromMeter makes the bill of what was counted in a day.
func TestFromMeter(t *testing.T) {
	b := cost.DefaultSheet().Bill("metered", cost.FromMeter(day,
		cost.Counted{Class: blob.Standard, Create: 1000, Get: 200, Head: 300, List: 100, Down: 1 << 30, Stored: 2 << 30},
		cost.Counted{Class: blob.Infrequent, Create: 10, Get: 20, Down: 1 << 30, Stored: 4 << 30},
	))
	want := map[string][2]float64{ // quantity, cost
		"storage, standard":   {2, 0.046},
		"storage, infrequent": {4, 0.05},
		"PUT, standard":       {30, 0.15},
		"PUT, infrequent":     {0.3, 0.003},
		"LIST":                {3, 0.015},
		"GET, standard":       {15, 0.006},
		"GET, infrequent":     {0.6, 0.0006},
		"reading, standard":   {30, 0},
		"reading, infrequent": {30, 0.3},
	}
	total := 0.0
	for _, l := range b.Lines {
		if w := want[l.Item]; !close(l.Quantity, w[0]) || !close(l.Cost, w[1]) || !close(l.Cost, l.Quantity*l.Price) {
			t.Errorf("%s: %+v, want %v", l.Item, l, w)
		}
		total += l.Cost
	}
	if len(b.Lines) != len(want) || !close(b.Total, total) {
		t.Errorf("%d lines and a total of %v, want %d and %v", len(b.Lines), b.Total, len(want), total)
	}
}

func close(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// TestOthersByHand holds the bills of other ways against what a pencil gives.
func TestOthersByHand(t *testing.T) {
	c, err := cost.Compare(cost.DefaultSheet(), cost.Shape{InUse: 1 << 30, Change: 10 << 20}, cost.Schedule{Keep: policy(t)})
	if err != nil {
		t.Fatal(err)
	}
	changed := func(writes float64) float64 { return 1 - math.Pow(1-1.0/1024, writes) } // of 1,024 chunks
	writes := float64(10 << 10)                                                         // an hour, of a KiB each
	for name, want := range map[string]struct{ gb, puts float64 }{
		// 14 days of hours and 76 of days; a beginning, 8 parts and an end for each.
		"snapshots, hourly": {14*24 + 76, 720 * 10},
		// 2 days of minutes, 12 of hours, and 76.
		"snapshots, minutely": {2*1440 + 12*24 + 76, 43200 * 10},
		// The first one and what is new in the others, to a quarter; 16 packs, an index and a snapshot.
		"restic, hourly": {0.25 * (1 + 14*24*changed(writes) + 76*changed(24*writes)), 720 * (16 + 2)},
		// Twelve quarters, and three quarters of a day of deltas. 30 full ones of 52 parts; 8,640 deltas of three
		// requests.
		"gardener, default": {12*0.25 + 0.75*24*10.0/1024/4*1.5, 30*(2+52) + 8640*3},
		// 90 quarters, and 14 days of deltas.
		"gardener, like ours": {90*0.25 + 14*24*10.0/1024/4*1.5, 30*(2+52) + 43200*3},
	} {
		for _, b := range c.Bills {
			if b.Name != name {
				continue
			}
			if gb, puts := b.Lines[0].Quantity, b.Lines[2].Quantity*1000; math.Abs(gb/want.gb-1) > 1e-3 || !close(puts, want.puts) {
				t.Errorf("%s: %.3f GB and %.0f PUT, want %.3f and %.0f", name, gb, puts, want.gb, want.puts)
			}
		}
	}
}

// TestReadingDecidesTheClass shows when the cheaper class pays: the less verification reads,
// the more.
func TestReadingDecidesTheClass(t *testing.T) {
	bill := func(s cost.Schedule) (cost.Bill, float64) {
		s.Keep = policy(t)
		c, err := cost.Compare(cost.DefaultSheet(), cost.Shape{InUse: 4 << 30, Change: 20 << 20}, s)
		if err != nil {
			t.Fatal(err)
		}
		return c.Bills[0], c.AllStandard
	}
	never, standard := bill(cost.Schedule{Unread: true})
	if never.Total > 0.85*standard {
		t.Errorf("never read: %v, and %v if all is Standard; want 15 %% less at least", never.Total, standard)
	}
	often, standard := bill(cost.Schedule{Reads: 4})
	if infrequent := often.Lines[1].Quantity; infrequent != 0 || !close(often.Total, standard) {
		t.Errorf("read four times a month: %v GB are Infrequent, and the total is %v in place of %v", infrequent, often.Total, standard)
	}
	forced, standard := bill(cost.Schedule{Standard: true})
	if !close(forced.Total, standard) {
		t.Errorf("all Standard: %v and %v", forced.Total, standard)
	}
}

func TestSharingSavesRequests(t *testing.T) {
	puts := func(clusters int) float64 {
		c, err := cost.Compare(cost.DefaultSheet(), cost.Shape{InUse: 1 << 20, Change: 1 << 20, Clusters: clusters}, cost.Schedule{Keep: policy(t)})
		if err != nil {
			t.Fatal(err)
		}
		return c.Bills[0].Lines[2].Quantity
	}
	if one, hundred := puts(1), puts(100); hundred > one/10 {
		t.Errorf("one cluster has %v thousand PUT, and each of a hundred %v", one, hundred)
	}
}

func TestCompareSaysWhatIsWrong(t *testing.T) {
	good := cost.Shape{InUse: 1 << 20, Change: 1}
	for _, test := range []struct {
		shape    cost.Shape
		schedule cost.Schedule
		want     string
	}{
		{cost.Shape{}, cost.Schedule{Keep: policy(t)}, "a cluster has 0 bytes in use; it is 1 or more"},
		{cost.Shape{InUse: 10, DB: 5}, cost.Schedule{Keep: policy(t)}, "the store's file has 5 bytes, which is less than the 10 in use"},
		{cost.Shape{InUse: 10, Busy: 2}, cost.Schedule{Keep: policy(t)}, "something changes in a share of 2 of all minutes; it is more than 0 and 1 at most"},
		{good, cost.Schedule{}, `the policy keeps nothing; write what to keep, such as "any minute for 2 days, hours for 2 weeks, days for 3 months"`},
		{good, cost.Schedule{Keep: policy(t), Every: time.Millisecond}, "a backup every 1ms, read 0.3333333333333333 times a month: expected a second or more, and 0 times or more"},
	} {
		if _, err := cost.Compare(cost.DefaultSheet(), test.shape, test.schedule); err == nil || err.Error() != test.want {
			t.Errorf("%+v: %v\nwant %s", test.shape, err, test.want)
		}
	}
}

func TestShapeOf(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	c := catalog.Catalog{
		Bases: []catalog.Base{{Revision: 100, Time: now.Add(-5 * day), Raw: 4000, Size: 1000}},
		Logs: []catalog.Log{
			{Level: catalog.Hour, Start: 101, End: 200, From: now.Add(-10 * time.Hour), To: now.Add(-9 * time.Hour), Raw: 8000, Size: 1000},
			{Level: catalog.Minute, Start: 151, End: 250, From: now.Add(-4 * time.Minute), To: now, Raw: 4000, Size: 1000}, // half of it again
			{Level: catalog.Minute, Start: 251, End: 251, From: now, To: now},
			{Level: catalog.Day, Start: 1, End: 100, From: now.Add(-30 * day), To: now.Add(-29 * day), Raw: 1 << 40},
		},
	}
	got, err := cost.ShapeOf(c, now)
	want := cost.Shape{InUse: 4000, BaseRatio: 4, Change: 1000, LogRatio: 10000.0 / 1500, Busy: 0.5}
	if err != nil || got != want {
		t.Errorf("ShapeOf = %+v, %v; want %+v", got, err, want)
	}
	for want, c := range map[string]catalog.Catalog{
		"the backup has no base yet; what it costs is known when it has run for some hours":             {},
		"the backup has no log of the last week; what it costs is known when it has run for some hours": {Bases: c.Bases},
	} {
		if _, err := cost.ShapeOf(c, now); err == nil || err.Error() != want {
			t.Errorf("ShapeOf: %v, want %s", err, want)
		}
	}
}

func TestJSON(t *testing.T) {
	c, err := cost.Compare(cost.DefaultSheet(), cost.Shape{InUse: 1 << 30, Change: 1 << 20}, cost.Schedule{Keep: policy(t)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Prices struct{ Name, Date, Source, Currency string }
		Keep   catalog.Policy
		Bills  []cost.Bill
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Prices.Date != "2026-11-01" || got.Keep != policy(t) || len(got.Bills) != len(c.Bills) || !close(got.Bills[0].Total, c.Bills[0].Total) {
		t.Errorf("JSON() = %s", text)
	}
}

func TestTableHasTheDigitsThatMatter(t *testing.T) {
	bill := func(name string, storage float64) cost.Bill {
		return cost.Bill{Name: name, Lines: []cost.Line{{Item: "storage", Cost: storage}, {Item: "LIST"}}, Total: storage}
	}
	want := strings.TrimPrefix(`
                     ours   much    more   most  little   next to  zero
                           often
storage            €0.013  €9.99  €12.35  €1234  €0.043  <€0.0001     –
total              €0.013  €9.99  €12.35  €1234  €0.043  <€0.0001     –
× as much as ours            800     988  98760     3.4    0.0008     0
`, "\n")
	got := cost.Table("€", []cost.Bill{
		bill("ours", 0.0125), bill("much, often", 9.994), bill("more", 12.345), bill("most", 1234.5), bill("little", 0.0429), bill("next to", 0.00001), bill("zero", 0),
	})
	if got != want {
		t.Errorf("Table:\n%s\nwant\n%s", got, want)
	}
}
