package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// ErrLate is that a report has come too late: there is a newer one of the node.
var ErrLate = errors.New("this report of the node has come too late")

// Report writes what a node runs, if that is new, with the events that tell of it. A report that
// was on its way for so long that a newer one is there, sent by another control node, is ErrLate.
// Of one run of the node's process the newer one has the higher number. Another run takes over
// from the one whose report is there while it is attached, and while nothing is there: who
// attaches last is the one that runs.
func Report(ctx context.Context, store election.Store, environment, node string, s *fleet.Status, now time.Time) error {
	key := fleet.StatusKey(environment, node)
	for range tries {
		there, err := store.Txn(ctx, election.Txn{Then: []election.Op{
			election.Get(election.Key(key)), election.Get(election.Key(NodePrefix + node)), election.Get(election.Prefix(fleet.RunsKeys(environment, node))),
		}})
		if err != nil {
			return err
		}
		// Numbers go on where those of a node that was forgotten ended, at a revision before this
		// one: so no event has the name of another.
		at := int64(0)
		if all := there.Outcomes[0].Entries; len(all) > 0 {
			at = all[0].Modified
		}
		filed := &fleet.Filed{}
		for _, e := range slices.Concat(there.Outcomes[0].Entries, there.Outcomes[2].Entries) {
			_ = filed.Take(e.Key, e.Value) // what is not understood is written anew
		}
		was := filed.Status()
		if was == nil {
			was = &fleet.Status{Seq: there.Revision}
		}
		switch again := at != 0 && was.Incarnation == s.Incarnation; {
		case !again:
			if err := attached(there.Outcomes[1].Entries, node, s); err != nil {
				return err
			}
		case s.Number > was.Number: // and is noted, also where it says the same
		case was.Same(s):
			return nil // an answer was lost, or the node does not know that it is there
		case s.Number > 0:
			return fmt.Errorf("%w: it is number %d of its process, and number %d is there", ErrLate, s.Number, was.Number)
		}
		part := towards(was, s)
		part.Seq = was.Seq + 1
		txn := election.Txn{If: []election.Compare{unchanged(key, at)}, Then: filed.Next(environment, node, part)}
		if at == 0 || was.Cell != part.Cell {
			txn.Then = append(txn.Then, election.Put(fleet.JoinedKey(environment), []byte(node), 0))
		}
		for _, e := range nodeEvents(node, was, part, now) {
			txn.Then = append(txn.Then, election.Put(NodeEventKey(e.Deployment, node, e.Seq), encode(&e), 0))
		}
		r, err := store.Txn(ctx, txn)
		if err != nil {
			return err
		}
		if r.OK && part == s {
			return nil
		}
	}
	return ErrBusy
}

// CheckStatus says what is wrong with a status that a node of an environment tells of: what keys
// are made of has to be what can be in one (see [fleet.CheckTold]), and deployments have to be the environment's own.
func CheckStatus(environment string, s *fleet.Status) error {
	if err := fleet.CheckTold(s.Cell, s.Region); err != nil {
		return err
	}
	const most = 255
	for _, text := range []string{s.Address, s.Version, s.Incarnation, s.Upgrades} {
		if len(text) > most {
			return fmt.Errorf("%.40q… of a status has %d bytes: expected %d at most", text, len(text), most)
		}
	}
	for name, r := range s.Programs {
		if err := release.CheckProgram(name); err != nil {
			return err
		}
		if r.Deployment == "" {
			continue
		}
		program, of, n, err := ParseID(r.Deployment)
		if err != nil || r.Deployment != idOf(program, of, n) || program != name || of != environment {
			return fmt.Errorf("a status tells that %s follows %.80q: expected a deployment of it in %s", name, r.Deployment, environment)
		}
	}
	return nil
}

// mostChanges is of how many programs it is written at once that a node runs something else: each
// has an event, and etcd takes 128 operations at once.
const mostChanges = 50

// towards is the status itself, or one on the way there where too much would change at once. It
// has the number before, so that the one that it leads to is newer.
func towards(was, is *fleet.Status) *fleet.Status {
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(is.Programs)) {
		if nodeChange(name, was.Programs[name], is.Programs[name]) != "" {
			changed = append(changed, name)
		}
	}
	if len(changed) <= mostChanges {
		return is
	}
	part := *is
	part.Number = max(0, is.Number-1)
	part.Programs = maps.Clone(is.Programs)
	for _, name := range changed[mostChanges:] {
		delete(part.Programs, name)
		if r, known := was.Programs[name]; known {
			part.Programs[name] = r
		}
	}
	return &part
}

// attached sees that a report is of the run of a node's process that is attached. One that does
// not number its reports does not say which run is attached either.
func attached(record []election.Entry, node string, s *fleet.Status) error {
	if s.Number == 0 {
		return nil
	}
	if len(record) == 0 {
		return fmt.Errorf("%w: the node %s is not attached; it reports once it is", ErrLate, node)
	}
	var is struct {
		Incarnation string `json:"incarnation"`
	}
	if err := json.Unmarshal(record[0].Value, &is); err != nil {
		return fmt.Errorf("%s in the store: %w", record[0].Key, err)
	}
	if is.Incarnation != "" && is.Incarnation != s.Incarnation {
		return fmt.Errorf("%w: another process of the node %s is attached; see that there is one", ErrLate, node)
	}
	return nil
}

// nodeEvents is what a node did between two statuses.
func nodeEvents(node string, was, is *fleet.Status, now time.Time) []Event {
	var all []Event
	for name, r := range is.Programs {
		if r.Deployment == "" {
			continue
		}
		if text := nodeChange(name, was.Programs[name], r); text != "" {
			all = append(all, Event{
				Deployment: r.Deployment, Seq: is.Seq, Node: node, Time: now, Type: EventNode, Text: text,
				Data: map[string]string{"main": string(r.Main), "beside": string(r.Beside), "cell": is.Cell, "incarnation": is.Incarnation},
			})
		}
	}
	return all
}

// nodeChange says what changed at a node with a program; "" is nothing.
func nodeChange(program string, was, is fleet.Running) string {
	var all []string
	if is.Main != was.Main {
		all = append(all, "runs "+ranBy(program, is.Main))
	}
	switch {
	case is.Beside != "" && (is.Beside != was.Beside || is.Share != was.Share):
		all = append(all, fmt.Sprintf("has %s beside it for %.3g%% of its requests", is.Beside.Short(), 100*is.Share))
	case is.Beside == "" && was.Beside != "":
		all = append(all, "has "+was.Beside.Short()+" beside it no more")
	}
	for _, t := range is.Troubles {
		if old := was.Trouble(t.Release); old == nil || *old != t {
			all = append(all, fmt.Sprintf("has trouble with %s (%s): %s", t.Release.Short(), t.Kind, t.Text))
		}
	}
	if is.Probed != nil && (was.Probed == nil || *was.Probed != *is.Probed) {
		text := "finds what is called answering"
		if is.Probed.Candidate != "" || is.Probed.Release != "" {
			text = fmt.Sprintf("finds what is called not answering (the candidate's: %s; the release's: %s)", or(is.Probed.Candidate, "well"), or(is.Probed.Release, "well"))
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// heldAgain is how often it is looked whether a restored store was looked at.
const heldAgain = 2 * time.Second
