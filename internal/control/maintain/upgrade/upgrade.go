// Package upgrade says whether a cluster of etcd is ready for another release, and if
// not, what to do first. It changes nothing.
//
//	facts, err := upgrade.Look(ctx, client, upgrade.Options{})
//	for _, c := range upgrade.Check(facts, target, upgrade.Up) {
//		fmt.Println(c.State, c.Name, c.Found, c.Next)
//	}
//
// Sources: the guides at https://etcd.io/docs/v3.7/upgrades/ and /downgrades/, and what
// they cite.
package upgrade

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"towpath.dev/internal/control/cluster"
)

// A Version is a release of etcd. Patch is -1 where only the minor release was named.
type Version struct {
	Major, Minor, Patch int
	Pre                 string // as in 3.7.0-rc.1
}

// ParseVersion reads a release, such as 3.7 or v3.7.3.
func ParseVersion(s string) (Version, error) {
	v := Version{Patch: -1}
	text, pre, _ := strings.Cut(strings.TrimPrefix(s, "v"), "-")
	parts := strings.Split(text, ".")
	ok := len(parts) == 2 || len(parts) == 3
	numbers := []*int{&v.Major, &v.Minor, &v.Patch}
	for i, part := range parts {
		if !ok {
			break
		}
		n, err := strconv.ParseUint(part, 10, 16)
		ok = err == nil
		*numbers[i] = int(n)
	}
	if !ok || pre != "" && v.Patch < 0 {
		return Version{}, fmt.Errorf("%q is no release of etcd: expected one such as 3.7 or 3.7.3", s)
	}
	v.Pre = pre
	return v, nil
}

func (v Version) String() string {
	s := v.line()
	if v.Patch >= 0 {
		s += "." + strconv.Itoa(v.Patch)
	}
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	return s
}

// line is the minor release alone.
func (v Version) line() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// steps is how many minor releases lie between two; below 0 the other way. Between major
// ones it is not known.
func steps(from, to Version) (n int, known bool) {
	return to.Minor - from.Minor, from.Major == to.Major
}

// before reports whether v is an earlier release than one of the same minor one with a patch.
// A release candidate is before what it is a candidate for.
func (v Version) before(patch int) bool {
	return v.Patch >= 0 && (v.Patch < patch || v.Patch == patch && v.Pre != "")
}

// Facts are what a cluster's readiness depends on.
type Facts struct {
	Seen *cluster.Observed
	// Releases is what members say of themselves that is not in Seen; of those that could not
	// be asked there is none.
	Releases map[cluster.ID]Release
	// Hashes is of the members' data at HashRevision.
	Hashes       map[cluster.ID]Hash
	HashRevision int64
	// Validated is what etcd says about a downgrade to the target: "" is that it would do it.
	// Asked says whether it was asked.
	Asked     bool
	Validated string
	// Backup is nil where nobody said where one is.
	Backup *Backup
	// Own says that the cluster is Towpath's, whose etcd comes with tow.
	Own bool
}

// A Release is how a member's data and the cluster's rules are versioned.
type Release struct {
	Storage   string // of its data: "3.7.0"; "" before 3.6
	Downgrade string // the target of a downgrade that is enabled; "" is none
}

// A Hash is of a member's data at a revision.
type Hash struct {
	Hash      uint32
	Compacted int64 // hashes of different ones cannot be compared
	Err       string
}

// A Backup is how recent one is.
type Backup struct {
	Revision int64     // up to which it has everything
	Time     time.Time // of that
	Err      string    // why it is not known
}

// fresh is how old a backup may be that has not got the newest revision.
const fresh = 10 * time.Minute

// Way is up or down.
type Way int

// The ways.
const (
	Up Way = iota
	Down
)

// A State is how a check came out.
type State string

// The states of checks.
const (
	OK   State = "ok"
	Fail State = "fail" // it has to be seen to before
	Note State = "note" // it cannot be seen from here, or need not be seen to
)

// A Checked is a check with what was found.
type Checked struct {
	Name  string `json:"check"`
	State State  `json:"state"`
	Found string `json:"found"`
	Next  string `json:"next,omitempty"` // what to do; never empty of one that failed
}

// Ready reports whether nothing failed.
func Ready(all []Checked) bool {
	for _, c := range all {
		if c.State == Fail {
			return false
		}
	}
	return true
}
