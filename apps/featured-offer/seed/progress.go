package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress shows how far the work is.
type progress interface {
	// begin starts a table of about so many rows; the function ends it.
	begin(name string, rows int) (done func())
	// step says that one more row is written.
	step()
	note(format string, args ...any)
	// close ends the last bar.
	close()
}

// progressOn is bars in a terminal, lines elsewhere.
func progressOn(f *os.File) progress {
	if term.IsTerminal(int(f.Fd())) {
		return &bars{pool: mpb.New(mpb.WithOutput(f), mpb.WithWidth(64))}
	}
	return &lines{w: f}
}

// lines writes a line for each table.
type lines struct {
	w    io.Writer
	rows int
}

func (l *lines) begin(name string, _ int) func() {
	start := time.Now()
	l.rows = 0
	return func() {
		fmt.Fprintf(l.w, "%-14s %8d rows in %.1f s\n", name, l.rows, time.Since(start).Seconds())
	}
}

func (l *lines) step()                      { l.rows++ }
func (l *lines) note(f string, args ...any) { fmt.Fprintf(l.w, f+"\n", args...) }
func (l *lines) close()                     {}

// bars draws a bar for each table.
type bars struct {
	pool *mpb.Progress
	bar  *mpb.Bar
	rows int64
}

func (b *bars) begin(name string, rows int) func() {
	b.rows = 0
	b.bar = b.pool.AddBar(int64(rows),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 15, C: decor.DindentRight}), decor.CurrentNoUnit("%8d ")),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 8})))
	return func() { b.bar.SetTotal(b.rows, true) }
}

func (b *bars) step() {
	if b.rows++; b.rows%1024 == 0 {
		b.bar.SetCurrent(b.rows)
	}
}

func (b *bars) note(format string, args ...any) {
	fmt.Fprintf(b.pool, format+"\n", args...)
}

func (b *bars) close() { b.pool.Wait() }
