package backups

import (
	"fmt"
	"math"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/cost"
)

// A month of ours is 30 times the requests of the day that was metered, and what is stored once
// the policy's 30 days have passed: that is the catalog's own doing, played in full by
// [steady]. For another size of store, bytes are as many times as many, and requests stay, but
// for those of bases and days, whose objects have a greatest size.

// eightGiB is the size of a store's file that bytes are scaled to.
const eightGiB = 8 << 30

// usage is a month's, of which package cost makes a bill.
type usage struct{ cost.Usage }

func (u *usage) of(class blob.Class) *cost.ClassUsage {
	if class == blob.Infrequent {
		return &u.Infrequent
	}
	return &u.Standard
}

// keep adds bytes that are stored all month.
func (u *usage) keep(bytes float64, class blob.Class) { u.of(class).ByteMonths += bytes }

func (u *usage) put(n float64, class blob.Class) { u.of(class).Puts += n }

// get adds requests that read so many bytes together.
func (u *usage) get(n, bytes float64, class blob.Class) {
	u.of(class).Gets += n
	u.of(class).Retrieved += bytes
}

// A steadyState is what of the log and the bases is stored on average, and how often a base
// is made.
type steadyState struct {
	bases, logs float64 // bytes
	spacing     float64 // days from base to base
	count       float64 // bases
}

func (d *day) steadyState() (steadyState, error) { return steady(d.base, d.log) }

// steady lets a catalog of days grow for two years, with a base when [catalog.Catalog.BaseDue]
// says so, and with what [catalog.Catalog.Plan] deletes deleted, and looks at the second.
func steady(base catalog.Base, log catalog.Log) (steadyState, error) {
	const warm, days = 365, 365
	var c catalog.Catalog
	var s steadyState
	keep, err := catalog.Parse(policy)
	if err != nil {
		return s, err
	}
	revision, made := int64(1), 0
	now := dayBegins
	for d := range warm + days {
		if due, _ := c.BaseDue(keep, now); due {
			c.Bases = append(c.Bases, catalog.Base{Revision: revision, Compacted: revision, Time: now, Size: base.Size, Raw: base.Raw})
			if d >= warm {
				made++
			}
		}
		next := catalog.Log{Level: catalog.Day, Start: revision + 1, End: revision + log.End - log.Start + 1, From: now, To: now.Add(24*time.Hour - time.Second), Size: log.Size, Raw: log.Raw}
		c.Logs, revision, now = append(c.Logs, next), next.End, now.Add(24*time.Hour)
		if err := remove(&c, c.Plan(keep, now)); err != nil {
			return s, err
		}
		if d >= warm {
			s.bases += float64(len(c.Bases)) * float64(base.Size) / days
			s.logs += float64(len(c.Logs)) * float64(log.Size) / days
			s.count += float64(len(c.Bases)) / days
		}
	}
	s.spacing = days / float64(max(made, 1))
	return s, nil
}

// remove does what a plan says: here, deletions alone.
func remove(c *catalog.Catalog, plan catalog.Plan) error {
	if len(plan.Merge)+len(plan.Thin) > 0 {
		return fmt.Errorf("a catalog of days is to be merged or thinned: %+v", plan)
	}
	logs, bases := map[int64]bool{}, map[int64]bool{}
	for _, d := range plan.Delete {
		if d.Log != nil {
			logs[d.Log.Start] = true
		} else if d.Base != nil {
			bases[d.Base.Revision] = true
		}
	}
	var left catalog.Catalog
	for _, l := range c.Logs {
		if !logs[l.Start] {
			left.Logs = append(left.Logs, l)
		}
	}
	for _, b := range c.Bases {
		if !bases[b.Revision] {
			left.Bases = append(left.Bases, b)
		}
	}
	*c = left
	return nil
}

// month is our usage for a store that is so many times as large, and changes as many times as
// much.
func (d *day) month(scale float64) (cost.Usage, error) { return d.usage(scale, d.lines) }

// sharedMonth is that of one of several clusters that share an uploader, by what such an uploader
// was counted to do in an hour.
func (d *day) sharedMonth(scale float64, s *sharing) (cost.Usage, error) {
	var lines []Line
	for _, l := range d.lines {
		if l.Kind != "log/minute" && l.Kind != "list" {
			lines = append(lines, l)
		}
	}
	return d.usage(scale, append(lines, s.daily(d)...))
}

func (d *day) usage(scale float64, lines []Line) (cost.Usage, error) {
	var u usage
	s, err := d.steadyState()
	if err != nil {
		return u.Usage, err
	}
	for _, l := range lines {
		parts := 1.0
		switch l.Kind {
		case "base":
			continue // of those below
		case "log/day":
			parts = math.Ceil(scale * float64(d.log.Size) / catalog.MaxObject)
		default:
			u.keep(l.ByteHours/counted*scale, l.Class)
		}
		u.put(float64(l.Create)*monthDays*parts, l.Class)
		u.get(float64(l.Get+l.Head)*monthDays*parts, float64(l.Down)*monthDays*scale, l.Class)
		u.Standard.Lists += float64(l.List) * monthDays
	}
	u.keep(s.bases*scale, d.class("base"))
	u.keep(s.logs*scale, d.class("log/day"))
	d.basesOf(&u, s, scale)
	return u.Usage, nil
}

// class is the one that objects of a kind are in. Of a base it is its chunks'.
func (d *day) class(kind string) blob.Class {
	class, most := blob.Standard, int64(-1)
	for _, l := range d.lines {
		if l.Kind == kind && l.Bytes > most {
			class, most = l.Class, l.Bytes
		}
	}
	return class
}

// basesOf adds what a month's bases cost: each is written, and read to compare it with the
// replica. For each earlier proof that is restored once more one is read, and the log behind it up
// to some point between the bases: once a day, or as often as makes that a thirtieth of all.
func (d *day) basesOf(u *usage, s steadyState, scale float64) {
	made := monthDays / s.spacing
	chunks := math.Ceil(float64(d.base.Raw) * scale / (32 << 20))
	u.put(made*chunks, d.class("base"))
	u.put(made, blob.Standard)
	chain := (float64(d.base.Size) + s.spacing/2*float64(d.log.Size)) * scale
	proofs := monthDays * min(1, max(64<<20, (s.bases+s.logs)*scale/30)/chain)
	read := made + proofs
	u.get(read*chunks, read*float64(d.base.Size)*scale, d.class("base"))
	days := proofs * s.spacing / 2
	u.get(days, days*float64(d.log.Size)*scale, d.class("log/day"))
}

// unmerged is our usage if minutes stayed minutes. They would be too small for the cheaper
// class, and so many that listing them takes many requests.
func (d *day) unmerged(scale float64) (cost.Usage, error) {
	var u usage
	log := d.log
	log.Size = 0
	for _, n := range d.minutes {
		log.Size += n
	}
	s, err := steady(d.base, log)
	if err != nil {
		return u.Usage, err
	}
	u.put(monthDays*24*60, blob.Standard)
	u.get(monthDays*24*60, 0, blob.Standard) // verifying reads each once
	objects := s.logs / float64(log.Size) * 24 * 60
	for _, l := range d.lines {
		if l.List > 0 { // a third of which are of the log
			u.Standard.Lists += float64(l.List) * monthDays / 3 * (2 + math.Ceil(objects/listPage))
		}
	}
	u.keep(s.bases*scale, d.class("base"))
	u.keep(s.logs*scale, blob.Standard)
	d.basesOf(&u, s, scale)
	return u.Usage, nil
}

// fulls is the usage of whole snapshots, so many an hour, each written by one request, which
// favours them.
func (d *day) fulls(scale, hourly float64) cost.Usage {
	var u usage
	n := monthDays * 24 * hourly
	u.put(n, blob.Standard)
	u.keep(n*float64(d.file)*scale, blob.Standard)
	return u.Usage
}

// chunkMonth is that of hourly snapshots in chunks: all of one, and what each of the others
// brings.
func (d *day) chunkMonth(scale float64) cost.Usage {
	var u usage
	fresh := 0.0
	for _, n := range d.chunks.fresh[1:] {
		fresh += float64(n) / float64(len(d.chunks.fresh)-1)
	}
	const n = monthDays * 24
	u.put(n*math.Ceil(fresh*scale/packSize), blob.Standard)
	u.keep((float64(d.chunks.fresh[0])+(n-1)*fresh)*scale, blob.Standard)
	return u.Usage
}

// deltaMonth is that of a daily full snapshot and deltas between. To reach back 30 days, 31
// snapshots are kept, and the deltas of 30 days and a half.
func (d *day) deltaMonth(x *deltas, scale, requests float64) cost.Usage {
	var u usage
	bytes := float64(x.meter.Usage().Up - d.zipped)
	u.put(monthDays*(1+float64(x.made))*requests, blob.Standard)
	u.keep((float64(d.zipped)*(monthDays+1)+bytes*(monthDays+0.5))*scale, blob.Standard)
	return u.Usage
}

// infrequent is usage as if all of it were in the cheaper class, if that is cheaper: what a user
// of another way could ask for as well.
func infrequent(u cost.Usage) cost.Usage {
	u.Infrequent, u.Standard = u.Standard, cost.ClassUsage{}
	return u
}
