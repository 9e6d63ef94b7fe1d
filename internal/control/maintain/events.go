package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
)

// An Event is something that a maintainer did, or told.
type Event struct {
	Time time.Time `json:"time"`
	By   string    `json:"by"` // the process

	Do       Do     `json:"do,omitempty"`    // what was done; "": it only told Why
	Alarm    bool   `json:"alarm,omitempty"` // a person has to see to it
	Member   string `json:"member,omitempty"`
	Revision int64  `json:"revision,omitempty"`
	Why      string `json:"why"`

	// Outcome is how it went: [Begun], [Done], or what was wrong.
	Outcome string        `json:"outcome,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"`
	Freed   int64         `json:"freed,omitempty"` // bytes that the disk got back

	// ID is of the member, for who takes the seat over.
	ID cluster.ID `json:"id,omitempty"`

	key string // in the journal it was read from
}

// Outcomes of what was done.
const (
	// Begun: who began it has not said how it went. It may have been done.
	Begun = "begun"
	Done  = "done"
	// CutOff: who began it ended, and its member answers again.
	CutOff = "cut off, and the member answers again"
)

// String is the event on one line, without its time.
func (e Event) String() string {
	switch e.Do {
	case Compact:
		return fmt.Sprintf("compacts at the revision %d: %s%s", e.Revision, e.Why, e.tail())
	case Defragment:
		return fmt.Sprintf("defragments %s: %s%s", e.Member, e.Why, e.tail())
	case Move:
		return fmt.Sprintf("moves the lead away from %s: %s%s", e.Member, e.Why, e.tail())
	case Disarm:
		return fmt.Sprintf("disarms the alarm NOSPACE of %s: %s%s", e.Member, e.Why, e.tail())
	case Ask:
		return fmt.Sprintf("asks for the seat: %s%s", e.Why, e.tail())
	}
	return e.Why
}

func (e Event) tail() string {
	tail := ""
	if e.Freed > 0 {
		tail = ", " + bytes(e.Freed) + " given back"
	}
	switch e.Outcome {
	case "":
		return ""
	case Done:
		return fmt.Sprintf(" — done in %s%s", e.Took.Round(time.Millisecond), tail)
	}
	return " — " + e.Outcome
}

// Journal is what maintainers have done to a cluster, kept in its store: the last [Kept]
// steps. Nothing else is ever written, so that a cluster that is idle stays idle.
type Journal struct {
	store  election.Store
	prefix string
}

// Kept is how many entries a journal keeps.
const Kept = 100

// NewJournal is the journal of the maintainers with a prefix, "" for the default one.
func NewJournal(store election.Store, prefix string) *Journal {
	return &Journal{store, prefix + "maintain/journal/"}
}

// Read is the journal, oldest first. Entries that cannot be read are left out: they are of
// a later release.
func (j *Journal) Read(ctx context.Context) ([]Event, error) {
	page, err := j.store.Range(ctx, election.Span{Keys: election.Prefix(j.prefix)})
	if err != nil {
		return nil, fmt.Errorf("the maintainer's journal: %w", err)
	}
	events := make([]Event, 0, len(page.Entries))
	for _, entry := range page.Entries {
		var e Event
		if json.Unmarshal(entry.Value, &e) == nil {
			e.key = entry.Key
			events = append(events, e)
		}
	}
	return events, nil
}

// errDeposed says that the seat is no longer held.
var errDeposed = errors.New("another process holds the seat by now")

// add writes an entry while the guard holds, and drops the oldest ones. It gives the key.
func (j *Journal) add(ctx context.Context, guard []election.Compare, e Event) (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	for {
		page, err := j.store.Range(ctx, election.Span{Keys: election.Prefix(j.prefix), KeysOnly: true})
		if err != nil {
			return "", err
		}
		next := uint64(1)
		if n := len(page.Entries); n > 0 {
			last, err := strconv.ParseUint(strings.TrimPrefix(page.Entries[n-1].Key, j.prefix), 10, 64)
			if err != nil {
				return "", fmt.Errorf("%s is no key of a journal: %w", page.Entries[n-1].Key, err)
			}
			next = last + 1
		}
		key := j.key(next)
		then := []election.Op{election.Put(key, text, 0)}
		if next > Kept {
			then = append(then, election.Delete(election.Keys{First: j.prefix, End: j.key(next - Kept + 1)}))
		}
		result, err := j.store.Txn(ctx, election.Txn{
			If: append([]election.Compare{election.Absent(key)}, guard...), Then: then,
			Else: []election.Op{election.Get(election.Key(key))},
		})
		switch {
		case err != nil:
			return "", err
		case result.OK:
			return key, nil
		case len(result.Outcomes[0].Entries) == 0:
			return "", errDeposed
		}
	}
}

func (j *Journal) key(n uint64) string { return fmt.Sprintf("%s%020d", j.prefix, n) }

// end writes how a step went, if its entry is still there.
func (j *Journal) end(ctx context.Context, guard []election.Compare, key string, e Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	result, err := j.store.Txn(ctx, election.Txn{
		If: append([]election.Compare{election.Present(key)}, guard...), Then: []election.Op{election.Put(key, text, 0)},
	})
	if err == nil && !result.OK {
		err = errDeposed
	}
	return err
}
