package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"towpath.dev/internal/run/engine"
)

// busy is an entry of some 2 KB, as requests are.
func busy(id string) *Entry {
	e := entry(id, 0)
	e.Record.Output = json.RawMessage(`{"offers":[` + strings.Repeat(`{"id":"o1","price":{"amount":"19.90","currency":"EUR"},"rank":1},`, 5) + `{}]}`)
	for i := range 8 {
		e.Record.Answers = append(e.Record.Answers, engine.Answer{
			Operation: "market/services.Catalog.offers", Args: fmt.Appendf(nil, `["p%d"]`, i),
			Body: fmt.Appendf(nil, `[{"id":"o%d","merchant":"m%d","price":{"amount":"%d.90","currency":"EUR"},"stock":%d}]`, i, i*7, i*3, i*11),
		})
	}
	return e
}

func BenchmarkSample(b *testing.B) {
	r := &Ring{threshold: threshold(0.01)}
	b.ReportAllocs()
	for b.Loop() {
		r.Sample("4bf92f3577b34da6a3ce929d0e0e4736")
	}
}

// BenchmarkPut is what a request pays for an entry that it has.
func BenchmarkPut(b *testing.B) {
	r := open(b, b.TempDir(), Options{MaxBytes: 64 << 20, Queue: 1 << 30, QueueBytes: 1 << 40})
	e := busy("r1")
	b.ReportAllocs()
	for b.Loop() {
		r.Put(e)
	}
	b.StopTimer()
	_ = r.Sync(b.Context()) // not part of it
}

// BenchmarkWrite is what the writer pays.
func BenchmarkWrite(b *testing.B) {
	e := busy("r1")
	text, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	var c encoder
	var frames []byte
	b.ReportAllocs()
	for b.Loop() {
		if frames, err = c.append(frames[:0], 1, e); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(text)), "JSON-bytes")
	b.ReportMetric(float64(len(frames)), "disk-bytes")
}

func BenchmarkRedact(b *testing.B) {
	r := NewRedactor(manifestOf(b, peopleArtifact()), Key{1})
	var input strings.Builder
	for i := range 12 {
		fmt.Fprintf(&input, `,{"id":"p%d","email":"ada%d@example.org","age":%d,"tags":["x"],"born":"1990-05-01"}`, i, i, i)
	}
	text := []byte(`{"way":{"type":"Pickup"},"all":[` + input.String()[1:] + `],"by":{},"raw":{"note":"` + strings.Repeat("a text of no importance, ", 30) + `"}}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		e := &Entry{Record: engine.Record{View: "shop.way", Input: text}}
		r.Redact(e, nil)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	r := open(b, dir, Options{MaxBytes: 64 << 20})
	for i := range 20_000 {
		r.Put(busy(fmt.Sprint("r", i)))
		if i%500 == 0 {
			_ = r.Sync(b.Context()) // so that the queue has room
		}
	}
	if err := r.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(r.bytes)
	for b.Loop() {
		if _, err := Read(dir); err != nil {
			b.Fatal(err)
		}
	}
}
