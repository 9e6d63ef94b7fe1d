//go:build !solo

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlacesFromBefore: a node starts with the names of its cell and region that it had before there was a
// rule for them, and says so; a new node, and one that is to be elsewhere, begins with none of these. What can
// be no key is refused of all.
func TestPlacesFromBefore(t *testing.T) {
	for _, c := range []struct {
		name, cell, region string
		joined             bool
		memory             string // "": none
		taken              bool
	}{
		{"a good name", "eu-1", "eu", false, "", true},
		{"a new node", "AZ1", "", false, "", false},
		{"a new node's region", "eu-1", "US East", false, "", false},
		{"one of an earlier version", "AZ1", "US East", true, `{"heard":"2026-01-01T00:00:00Z"}`, true},
		{"one that was there", "AZ1", "US East", true, `{"cell":"AZ1","region":"US East"}`, true},
		{"one that was in another cell", "AZ2", "US East", true, `{"cell":"AZ1","region":"US East"}`, false},
		{"one that was in another region", "AZ1", "US West", true, `{"cell":"AZ1","region":"US East"}`, false},
		{"one whose memory is damaged", "AZ1", "", true, `{`, true},
		{"one that has none", "AZ1", "", true, "", true},
		{"no key", "us/1", "", true, `{"cell":"us/1"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				name = filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.joined {
				write(nodeDir+"/node.pem", "-")
			}
			if c.memory != "" {
				write(fleetDir+"/"+memoryFile, c.memory)
			}
			var log bytes.Buffer
			s := &serving{ui: &ui{err: &log}, roles: roles{cell: c.cell, region: c.region}}
			err := s.checkPlace(dir)
			if (err == nil) != c.taken || err != nil && !strings.Contains(err.Error(), "cannot name") {
				t.Errorf("it says %v; expected that it is taken: %v", err, c.taken)
			}
			if said := strings.Contains(log.String(), "before there was a rule"); said != (c.taken && c.joined) {
				t.Errorf("it logs %q", log.String())
			}
			if text, err := os.ReadFile(filepath.Join(dir, fleetDir, memoryFile)); c.memory != "" && (err != nil || string(text) != c.memory) {
				t.Errorf("the memory is %q, %v now", text, err)
			}
		})
	}
}
