package native

import (
	"archive/zip"
	_ "embed"
	"io"
	"strings"
	"sync"
	"time"
)

// zoneinfo is the IANA time zone database as Go distributes it, lib/time/zoneinfo.zip.
// The machine's own is not asked: it may differ from the next machine's.
//
//go:generate sh -c "cp $(go env GOROOT)/lib/time/zoneinfo.zip ."
//go:embed zoneinfo.zip
var zoneinfo string

// zoneFiles opens the archive once.
var zoneFiles = sync.OnceValue(func() map[string]*zip.File {
	files := map[string]*zip.File{}
	r, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return files // no zone but UTC is known; a test sees to it that this is not so
	}
	for _, f := range r.File {
		files[f.Name] = f
	}
	return files
})

// zones holds each zone that was asked for, by name: *time.Location. There are
// no more of them than files in the archive.
var zones sync.Map

// IsZone reports whether a time zone of that IANA name is known.
func IsZone(name string) bool {
	_, ok := zone(name)
	return ok
}

// ZoneOffset is the seconds east of UTC at an instant, in ns since the Unix
// epoch, in the time zone. It reports false where IsZone does.
func ZoneOffset(instant int64, name string) (int64, bool) {
	location, ok := zone(name)
	if !ok {
		return 0, false
	}
	_, offset := time.Unix(0, instant).In(location).Zone()
	return int64(offset), true
}

func zone(name string) (*time.Location, bool) {
	if name == "UTC" {
		return time.UTC, true
	}
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), true
	}
	location, ok := readZone(name)
	if ok {
		zones.Store(name, location)
	}
	return location, ok
}

func readZone(name string) (*time.Location, bool) {
	file := zoneFiles()[name]
	if file == nil || strings.HasSuffix(name, "/") {
		return nil, false
	}
	r, err := file.Open()
	if err != nil {
		return nil, false
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, false
	}
	location, err := time.LoadLocationFromTZData(name, data)
	return location, err == nil
}
