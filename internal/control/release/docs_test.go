package release_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"towpath.dev/internal/control/release"
)

// TestTheDocumentation reads the documents that docs/releases.md shows.
func TestTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/releases.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(text), "```") {
		if block, ok := strings.CutPrefix(part, "json\n"); ok && i%2 == 1 {
			blocks = append(blocks, block)
		}
	}
	if len(blocks) != 2 {
		t.Fatalf("%d documents; want a release and a policy", len(blocks))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(blocks[0])); err != nil {
		t.Fatal(err)
	}
	if _, err := release.Decode(compact.Bytes()); err != nil {
		t.Error(err)
	}
	if _, err := release.ParsePolicy([]byte(blocks[1])); err != nil {
		t.Error(err)
	}
}
