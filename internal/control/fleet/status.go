package fleet

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/release"
)

// StatusPrefix is where nodes' statuses are in the store, or their heads where they run many
// programs: below it ENVIRONMENT/NODE.
const StatusPrefix = Prefix + "node/"

// MaxReport bounds a status that a node tells of, in bytes.
const MaxReport = 1 << 20

// StatusKey is where a node's status is.
func StatusKey(environment, node string) string { return StatusPrefix + environment + "/" + node }

// LeftKey is where it stands since when a node is not attached any more, as RFC 3339 has
// it. It is for people: where a control node was lost, its nodes have none.
func LeftKey(environment, node string) string { return Prefix + "left/" + environment + "/" + node }

// ParseStatusKey is what a status's key names.
func ParseStatusKey(key string) (environment, node string, ok bool) {
	rest, ok := strings.CutPrefix(key, StatusPrefix)
	if !ok {
		return "", "", false
	}
	environment, node, ok = strings.Cut(rest, "/")
	return environment, node, ok && node != "" && !strings.Contains(node, "/")
}

// A Status is what a node is and runs. Only the node writes it.
type Status struct {
	Seq int64 `json:"seq"` // grows with each write
	// Number counts the reports of its incarnation. It grows with each that is tried, so that one
	// that comes late takes no newer one's place. 0: the node does not count them.
	Number      int64   `json:"number,omitempty"`
	Cell        string  `json:"cell"`
	Region      string  `json:"region,omitempty"`
	Address     string  `json:"address,omitempty"`
	Version     string  `json:"version,omitempty"` // of tow
	ABI         int     `json:"abi,omitempty"`
	Capacity    float64 `json:"capacity,omitempty"` // cores
	Incarnation string  `json:"incarnation"`        // which run of the process it is
	// Upgrades is the platform whose tow may take its process's place, "linux/amd64". "": it
	// follows no deployments of tow.
	Upgrades string `json:"upgrades,omitempty"`
	// Unready is why nobody can ask it, though it lives; "" is that it is ready, or that it
	// does not say.
	Unready string `json:"unready,omitempty"`
	// Troubles are the node's own, of whichever releases: they keep none of them from running.
	Troubles []Trouble `json:"troubles,omitempty"`
	// Programs is what it runs, by name.
	Programs map[string]Running `json:"programs,omitempty"`
}

// Running is what a node runs of a program.
type Running struct {
	Deployment string         `json:"deployment,omitempty"` // whose intent it follows
	Main       release.Digest `json:"main,omitempty"`
	Beside     release.Digest `json:"beside,omitempty"`
	Share      float64        `json:"share,omitempty"`
	Previous   release.Digest `json:"previous,omitempty"` // on its disk, to go back to
	// Troubles are what keeps it from running what it shall, or went wrong as it did.
	Troubles []Trouble `json:"troubles,omitempty"`
	// Probed is how the last round of probing went that the node took part in.
	Probed *Probed `json:"probed,omitempty"`
	// Lost is when the node lost its readiness since its deployment began: the last few times.
	Lost []Loss `json:"lost,omitempty"`
	// References are of what runs and of what may soon, where there are any.
	References []References `json:"references,omitempty"`
}

// A Loss is one of readiness: the node lived, and three times in a row did not say that it was
// ready.
type Loss struct {
	At time.Time `json:"at"` // by the node's clock, to the second
	// Release is the one that it is counted against, by the rule for deaths; "" is none.
	Release release.Digest `json:"release,omitempty"`
}

// mostLosses is how many losses of readiness a node remembers of a program.
const mostLosses = 3

// Probed is how a probe went. "" is well.
type Probed struct {
	Deployment string `json:"deployment"` // whose rounds are counted
	Round      int64  `json:"round"`
	Release    string `json:"release,omitempty"`
	Candidate  string `json:"candidate,omitempty"`
	// Own is that all that is wrong with what answers the candidate's calls came with it.
	Own bool `json:"own,omitempty"`
}

// Kind is what kind of trouble a node has with a release.
type Kind string

// The kinds of troubles.
const (
	Fetching Kind = "fetch"   // it cannot be had now; the node tries again
	Distrust Kind = "trust"   // no key that the policy trusts has signed it
	Unfit    Kind = "load"    // it is no program that this node can run
	Unbound  Kind = "bind"    // what it calls is not bound here: a secret is missing, a setting is wrong
	Crashed  Kind = "crash"   // the node died while it ran it
	GaveUp   Kind = "gaveup"  // it died so twice, and went back by itself
	Unready  Kind = "unready" // the node was not ready while it ran it, and has not died
)

// The kinds of troubles of a node itself.
const (
	Astray   Kind = "policy"  // the node does not go by the trust policy that it is told
	Disowned Kind = "revoked" // it runs what the trust policy lets nobody begin any more
	Unsaved  Kind = "disk"    // what it knows cannot be written down
	Forgot   Kind = "memory"  // what it knew could not be read, and it began with nothing
)

// Final reports whether a node that has such a trouble does not run the release, and will
// not by itself.
func (k Kind) Final() bool { return k == Distrust || k == Unfit || k == Unbound || k == GaveUp }

// A Trouble is what a node has with a release.
type Trouble struct {
	Release release.Digest `json:"release,omitempty"` // "": it is the node's own
	Kind    Kind           `json:"kind"`
	// Count is of deaths, and where there are none of losses of readiness. Of the deaths, Starved
	// were likely for want of memory.
	Count   int    `json:"count,omitempty"`
	Starved int    `json:"starved,omitempty"`
	Text    string `json:"text,omitempty"`
}

// maxTrouble bounds a trouble's text, in bytes, so that a status stays within its bounds.
const maxTrouble = 300

// Encode is the status as a node tells it to a control node, and that to whoever asks. In the
// store it is a [Filed] one.
func (s *Status) Encode() []byte { return encode(s) }

// cut is the status with shorter texts; with more room than any text has it is as it was.
func (s *Status) cut(room int) *Status {
	short := *s
	short.Unready, short.Troubles = cut(s.Unready, room), cutAll(s.Troubles, room)
	short.Programs = cutPrograms(s.Programs, room)
	return &short
}

func cutPrograms(all map[string]Running, room int) map[string]Running {
	short := map[string]Running{}
	for name, r := range all {
		short[name] = r.cut(room)
	}
	return short
}

// cut is what runs, with shorter texts and less that can be done without.
func (r Running) cut(room int) Running {
	if room > maxTrouble {
		return r
	}
	r.Troubles = cutAll(r.Troubles, room)
	if r.Probed != nil {
		r.Probed = &Probed{r.Probed.Deployment, r.Probed.Round, cut(r.Probed.Release, room), cut(r.Probed.Candidate, room), r.Probed.Own}
	}
	r.Lost = r.Lost[max(0, len(r.Lost)-1):]
	r.References = slices.Clone(r.References)
	for i := range r.References {
		r.References[i] = r.References[i].cut(room)
	}
	if room < 40 {
		r.References = nil
	}
	if room < 20 {
		r.Lost = nil
	}
	return r
}

func cutAll(all []Trouble, room int) []Trouble {
	short := slices.Clone(all)
	for i := range short {
		short[i].Text = cut(short[i].Text, room)
	}
	return short
}

// cut is the beginning of a text that is too long.
func cut(text string, room int) string {
	if len(text) <= room {
		return text
	}
	return strings.ToValidUTF8(text[:room], "") + "…"
}

// DecodeStatus reads what Encode gave.
func DecodeStatus(key string, value []byte) (*Status, error) {
	s := new(Status)
	if err := json.Unmarshal(value, s); err != nil {
		return nil, fmt.Errorf("%s in the store: %w", key, err)
	}
	return s, nil
}

// Follows reports whether the node runs what is intended of a program: it does, of all but
// tow itself, where it is not to be upgraded.
func (s *Status) Follows(program string) bool { return program != release.Tow || s.Upgrades != "" }

// Same reports whether two statuses say the same, whichever was reported or written first.
func (s *Status) Same(other *Status) bool {
	a, b := *s, *other
	a.Seq, b.Seq, a.Number, b.Number = 0, 0, 0, 0
	return reflect.DeepEqual(a, b)
}

// In reports whether it is the answer to a round of a deployment.
func (p *Probed) In(deployment string, round int64) bool {
	return p != nil && p.Deployment == deployment && p.Round == round
}

// Trouble is what a node has with a release; nil is nothing.
func (r *Running) Trouble(of release.Digest) *Trouble {
	for i := range r.Troubles {
		if r.Troubles[i].Release == of {
			return &r.Troubles[i]
		}
	}
	return nil
}
