package cost

import (
	"math"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// What an uploader does, which the model has to follow.
const (
	// chunkRaw is the bytes of a base, before compression, in one of its objects.
	chunkRaw = 32 << 20
	// careLists is how many listings care takes, once an hour: of the log and of the bases, before
	// its work and after it.
	careLists = 4
	// minuteLife and hourLife are for how long objects are there, on average: until the hour or
	// the day is over, care has merged them, and an hour later has deleted them.
	minuteLife = 100 * time.Minute
	hourLife   = 12*time.Hour + 30*time.Minute
	// longApart is how many days apart bases are where next to nothing changes.
	longApart = 3650
	// listPage is how many objects one LIST has.
	listPage = 1000
)

// A stock is objects of one kind in the steady state.
type stock struct {
	made  float64       // in a month
	bytes float64       // that are made in a month
	life  time.Duration // of each
	reads float64       // of each, in all its life
}

// ours is what our scheme uses.
func ours(sheet Sheet, shape Shape, schedule Schedule) Usage {
	var u Usage
	objects := 0.0
	for _, s := range stocks(shape, schedule) {
		if s.made == 0 {
			continue
		}
		size := s.bytes / s.made
		class := blob.Standard
		if !schedule.Standard {
			class = sheet.Class(int64(size), s.life, s.reads)
		}
		of, months := u.of(class), float64(max(s.life, sheet.Of(class).MinLife))/float64(Month)
		of.ByteMonths += s.made * months * max(size, float64(sheet.Of(class).MinSize))
		of.Puts += s.made
		of.Gets += s.made * s.reads
		of.Retrieved += s.bytes * s.reads
		objects += s.made * float64(s.life) / float64(Month)
	}
	u.Standard.Lists += careLists * 30 * 24 * math.Ceil(objects/listPage)
	return u
}

// stocks is what our scheme makes.
func stocks(shape Shape, schedule Schedule) []stock {
	keep := schedule.Keep
	raw := shape.Change * 24 // bytes of log a day
	size := raw / shape.LogRatio
	base := float64(shape.InUse) / shape.BaseRatio
	apart := min(catalog.BaseEvery(int64(base), shape.InUse, size, raw, keep), longApart) + 0.5/24 // care comes once an hour
	// The oldest point that is kept is half a distance behind the base that leads to it.
	tail := time.Duration(apart / 2 * float64(24*time.Hour))
	again := func(life time.Duration) float64 { return schedule.Reads * float64(life) / float64(Month) }

	uploads := stock{made: uploads(shape, schedule.Every), bytes: size * 30, life: minuteLife}
	if schedule.Unmerged {
		uploads.life = keep.Reach() + tail
		uploads.reads = 1 + again(uploads.life)
		return append(bases(shape, schedule, apart), uploads)
	}
	all := append(bases(shape, schedule, apart), uploads)
	if shape.Change == 0 {
		return all
	}
	// What is merged is read back. An hour is read again when its day is made, and by the
	// verification of its day.
	hours := 24 * shape.busyIn(time.Hour) // a day
	hourly := hours * merged(shape.busyIn(schedule.Every)*float64(time.Hour)/float64(schedule.Every)/shape.busyIn(time.Hour), size/hours)
	daily := merged(hourly, size)
	all = append(all, stock{made: 30 * hourly, bytes: size * 30, life: hourLife, reads: 3})
	tiers := []struct {
		reach time.Duration
		size  float64 // a day
		made  float64
	}{
		{keep.Any, size, daily},
		{keep.Hours, shape.thinned(1), merged(daily, size)},
		{keep.Days, shape.thinned(24), merged(daily, shape.thinned(1))},
	}
	begin := time.Duration(0)
	for i, tier := range tiers {
		life := tier.reach - begin
		if i == 0 {
			life += time.Hour // between thinning and deletion
		}
		if i > 0 && tier.reach == 0 {
			continue
		}
		begin = max(begin, tier.reach)
		last := begin == keep.Reach()
		if last {
			life += tail
		}
		s := stock{made: 30 * tier.made, bytes: tier.size * 30, life: life, reads: 1 + again(life)}
		if !last {
			s.reads++ // to be thinned
		}
		all = append(all, s)
		if last {
			break
		}
	}
	return all
}

// uploads is how many objects of the log a cluster uploads in a month: one for each period in
// which something changed. Where several share an uploader it is one for all of them.
func uploads(shape Shape, every time.Duration) float64 {
	n := float64(shape.Clusters)
	busy := 1 - math.Pow(1-shape.busyIn(every), n)
	if shape.Change == 0 {
		busy = 0
	}
	return float64(Month) / float64(every) * busy / n
}

// merged is how many objects so many become if they are of so many bytes together and one
// has no more than [catalog.MaxObject], unless it is made of one.
func merged(inputs, bytes float64) float64 {
	if inputs <= 1 {
		return inputs
	}
	return math.Ceil(inputs / max(1, math.Floor(catalog.MaxObject*inputs/bytes)))
}

// bases is the chunks of bases, their manifests, and a proof a day. Of bases that are less than a
// day apart one a day is left where midnights are all that is kept; less than an hour, one an
// hour.
func bases(shape Shape, schedule Schedule, apart float64) []stock {
	keep := schedule.Keep
	any, hours, reach := days(keep.Any), days(max(keep.Any, keep.Hours)), days(keep.Reach())
	kept := any/apart + (hours-any)/max(apart, 1.0/24) + (reach-hours)/max(apart, 1)
	made := 30 / apart
	life := time.Duration((kept + 1) * apart * float64(24*time.Hour)) // and the one that leads to the oldest point
	chunks := math.Ceil(float64(shape.InUse) / chunkRaw)
	reads := 1 + schedule.Reads*float64(life)/float64(Month)
	return []stock{
		{made: made * chunks, bytes: made * float64(shape.InUse) / shape.BaseRatio, life: life, reads: reads},
		{made: made, bytes: made * (512 + 120*chunks), life: life, reads: reads}, // manifests
		{made: 30, bytes: 30 * 256, life: keep.Reach()},                          // proofs
	}
}
