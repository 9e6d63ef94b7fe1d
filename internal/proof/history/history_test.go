package history_test

import (
	"os"
	"path/filepath"
	"testing"

	"towpath.dev/internal/proof/history"
)

// TestTornLine: what a killed process left unfinished is neither read nor in the way.
func TestTornLine(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "a"+history.Extension)
	write := func(r history.Record) {
		t.Helper()
		log, err := history.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Write(r); err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(history.Record{At: 2, Kind: history.Began})
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"t":3,"k":"en`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if records, err := history.Read(name); err != nil || len(records) != 1 {
		t.Errorf("read %v, %v", records, err)
	}
	write(history.Record{Kind: history.Ended})
	name = filepath.Join(folder, "b"+history.Extension)
	write(history.Record{At: 1, Kind: history.Call})
	all, err := history.ReadAll(folder)
	if err != nil || len(all) != 3 {
		t.Fatalf("read %v, %v", all, err)
	}
	for i, kind := range []history.Kind{history.Call, history.Began, history.Ended} {
		if all[i].Kind != kind {
			t.Errorf("record %d is %v, expected %s", i, all[i], kind)
		}
	}
}
