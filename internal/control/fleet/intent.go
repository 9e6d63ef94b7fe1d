package fleet

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"towpath.dev/internal/control/release"
	"towpath.dev/internal/label"
)

// Prefix is where all about a fleet is in the store.
const Prefix = "fleet/"

// IntentPrefix is where intents are in the store: below it ENVIRONMENT/CELL/PROGRAM.
const IntentPrefix = Prefix + "intent/"

// IntentKey is where the intent of a cell and a program is.
func IntentKey(environment, cell, program string) string {
	return IntentPrefix + environment + "/" + cell + "/" + program
}

// CellKeys begin the keys of all intents of a cell.
func CellKeys(environment, cell string) string {
	return IntentPrefix + environment + "/" + cell + "/"
}

// ParseIntentKey is what an intent's key names.
func ParseIntentKey(key string) (environment, cell, program string, ok bool) {
	rest, ok := strings.CutPrefix(key, IntentPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// CheckPlace says what is wrong with a node's cell, or with its region, which may be "". Cells
// become parts of keys.
func CheckPlace(cell, region string) error {
	for _, of := range []struct{ what, name string }{{"a cell", cell}, {"a region", region}} {
		if !label.Valid(of.name) && (of.name != "" || of.what == "a cell") {
			return fmt.Errorf("%.80q cannot name %s: expected %s", of.name, of.what, label.Expected)
		}
	}
	return nil
}

// Keyed reports whether there can be intents of a cell: whether the key of one is read as it was
// written. Stored statuses of earlier versions name cells of which there can be none.
func Keyed(cell string) bool {
	return cell != "" && len(cell) <= mostCell && !strings.Contains(cell, "/") && utf8.ValidString(cell)
}

// mostCell bounds the name of a cell that is in the store, in bytes.
const mostCell = 255

// An Intent is what the nodes of a cell shall run of a program. While a candidate is on
// trial, some run that: those whose place in the deployment's order is below Reach.
type Intent struct {
	// Deployment wrote it last, and for the Seq-th time.
	Deployment string         `json:"deployment"`
	Seq        int64          `json:"seq"`
	Release    release.Digest `json:"release,omitempty"` // "": nothing is served
	Candidate  release.Digest `json:"candidate,omitempty"`
	Reach      float64        `json:"reach,omitempty"` // from 0 to 1
	// Onebox is the node that has the candidate beside the release, for a share of the
	// requests from 0 to 1.
	Onebox string  `json:"onebox,omitempty"`
	Share  float64 `json:"share,omitempty"`
	// Later are nodes that go on with what they ran, and what that is: they were away when it was their
	// turn to change, and have it one after the other. Of tow alone, for which a node starts anew.
	Later map[string]release.Digest `json:"later,omitempty"`
	// Probe asks some nodes to try both releases' bindings out.
	Probe *Probe `json:"probe,omitempty"`
}

// A Probe asks nodes to try out what answers the calls of both releases.
type Probe struct {
	Round int64    `json:"round"` // grows; a node answers each once
	By    []string `json:"by"`
}

// A Role is what an intent means for one node.
type Role struct {
	Main, Beside release.Digest // "" is none
	Share        float64        // of the requests, to Beside
	Ahead        release.Digest // may be needed soon: worth fetching
	Instead      release.Digest // runs where Main is the candidate and cannot be run
}

// RoleOf is what a node shall run.
func (i *Intent) RoleOf(node string) Role {
	runs, later := i.Later[node]
	switch {
	case later:
		return Role{Main: runs, Ahead: cmp.Or(i.Candidate, i.Release)}
	case i.Candidate == "":
		return Role{Main: i.Release}
	case Order(i.Deployment, node) < i.Reach:
		return Role{Main: i.Candidate, Instead: i.Release}
	case i.Onebox == node && i.Release != "":
		return Role{Main: i.Release, Beside: i.Candidate, Share: i.Share}
	}
	return Role{Main: i.Release, Ahead: i.Candidate}
}

// ProbeOf is the round in which a node is to probe; 0 is none.
func (i *Intent) ProbeOf(node string) int64 {
	if i.Probe != nil && slices.Contains(i.Probe.By, node) {
		return i.Probe.Round
	}
	return 0
}

// Order is a node's place in the order in which a deployment reaches nodes: from 0 up to and
// without 1. Each deployment has another order, so that it is not always the same nodes
// that go first.
func Order(deployment, node string) float64 {
	sum := sha256.Sum256([]byte(deployment + "\x00" + node))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// InOrder sorts nodes as a deployment reaches them.
func InOrder(deployment string, nodes []string) []string {
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(Order(deployment, a), Order(deployment, b)), cmp.Compare(a, b))
	})
	return sorted
}

// ReachOf is the reach that has the first n of the nodes, and none of the others. Of those that
// join later it has the ones whose place is before the n-th, which may be many where the nodes
// are few: who reaches lowers it again (see deploy).
func ReachOf(deployment string, nodes []string, n int) float64 {
	if n = min(n, len(nodes)); n <= 0 {
		return 0
	}
	return math.Nextafter(Order(deployment, InOrder(deployment, nodes)[n-1]), 1)
}

// Encode is the intent as the store has it.
func (i *Intent) Encode() []byte { return encode(i) }

// DecodeIntent reads what Encode gave.
func DecodeIntent(key string, value []byte) (*Intent, error) {
	i := new(Intent)
	if err := json.Unmarshal(value, i); err != nil {
		return nil, fmt.Errorf("%s in the store: %w", key, err)
	}
	if !(i.Reach >= 0 && i.Reach <= 1 && i.Share >= 0 && i.Share <= 1) || math.IsNaN(i.Reach) {
		return nil, fmt.Errorf("%s in the store: reach %v and share %v; expected them from 0 to 1", key, i.Reach, i.Share)
	}
	return i, nil
}

// encode is a value of this package's own types, which all can be encoded.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
