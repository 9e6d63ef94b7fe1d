package election

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Config is what a group is about: seats or partitions, never both.
type Config struct {
	// Seats is how many seats there are; they are named "0", "1", and so on.
	Seats int `json:"seats,omitempty"`
	// Partitions are the names of leaderships that are spread over all candidates.
	Partitions []string `json:"partitions,omitempty"`
}

const (
	maxSeats      = 1 << 20
	maxPartitions = 512 << 10 // bytes of names: they are one value in the store
	maxName       = 200       // bytes
)

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	switch {
	case c.Seats != 0 && len(c.Partitions) != 0:
		return fmt.Errorf("a group has seats or partitions: found %d seats and %d partitions; leave one out", c.Seats, len(c.Partitions))
	case c.Seats < 0 || c.Seats > maxSeats:
		return fmt.Errorf("a group has 0 to %d seats: found %d", maxSeats, c.Seats)
	}
	size, seen := 0, make(map[string]bool, len(c.Partitions))
	for _, p := range c.Partitions {
		if err := validName("partition", p); err != nil {
			return err
		}
		if seen[p] {
			return fmt.Errorf("the partition %q is named twice; name each once", p)
		}
		seen[p] = true
		size += len(p) + 3
	}
	if size > maxPartitions {
		return fmt.Errorf("the names of %d partitions take %d bytes: expected at most %d; spread them over several groups", len(c.Partitions), size, maxPartitions)
	}
	return nil
}

// validName says what is wrong with the name of a group or a partition.
func validName(what, name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return c == '/' || !unicode.IsPrint(c) || c == unicode.ReplacementChar }) {
		return fmt.Errorf("%q cannot name a %s: expected 1 to %d bytes of printable text without a slash", name, what, maxName)
	}
	return nil
}

// Records are what the keys of a group hold, as JSON: other languages and people
// with etcdctl read them as well.
type (
	// candidateRecord is on its session's lease. Its key's modified revision is
	// its place in the queue.
	candidateRecord struct {
		Name   string            `json:"name"`
		Want   int               `json:"want"` // seats, those held included
		Labels map[string]string `json:"labels,omitempty"`
	}
	// seatRecord is on its holder's lease. Its key's modified revision is the
	// token's: nothing but an acquisition writes it.
	seatRecord struct {
		Candidate  string `json:"candidate"`
		Name       string `json:"name"`
		Generation uint64 `json:"generation"`
	}
	// moveRecord asks the holder with this token's revision to hand a seat over.
	moveRecord struct {
		To    string `json:"to,omitempty"`
		Token int64  `json:"token"`
	}
	// planRecord says who should hold a partition.
	planRecord struct {
		Candidate string `json:"candidate"`
		Epoch     int64  `json:"epoch"`
	}
	// sessionRecord is on the session's own lease.
	sessionRecord struct {
		Name    string `json:"name"`
		Owner   string `json:"owner,omitempty"`   // who may act for it at the control API
		Address string `json:"address,omitempty"` // where peers see it live
		Early   bool   `json:"early,omitempty"`   // its lease may be revoked when its connection closes
		TTL     int    `json:"ttl"`               // seconds
	}
	generationRecord struct {
		Generation uint64 `json:"generation"`
		Claim      string `json:"claim,omitempty"`
		// Dropping is true until all that was held before is deleted.
		Dropping bool `json:"dropping,omitempty"`
	}
)

// encode makes a record's text. Records have nothing that JSON cannot hold.
func encode(record any) []byte {
	text, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	return text
}

// keys names the keys of one group.
type keys struct{ group string } // PREFIX + "group/" + NAME + "/"

func (k keys) all() Keys                  { return Prefix(k.group) }
func (k keys) config() string             { return k.group + "config" }
func (k keys) candidate(id string) string { return k.group + "candidate/" + id }
func (k keys) seat(name string) string    { return k.group + "seat/" + name }
func (k keys) drain(id string) string     { return k.group + "drain/" + id }
func (k keys) move(name string) string    { return k.group + "move/" + name }
func (k keys) plan(name string) string    { return k.group + "plan/" + name }
func (k keys) epoch() string              { return k.group + "epoch" }
func (k keys) assigner() string           { return k.group + "assigner" }

func groupKeys(prefix, group string) keys         { return keys{prefix + "group/" + group + "/"} }
func sessionKey(prefix string, id LeaseID) string { return prefix + "session/" + id.String() }
func generationKey(prefix string) string          { return prefix + "generation" }

func seatName(i int) string { return strconv.Itoa(i) }
