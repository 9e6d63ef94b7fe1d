package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
)

// Report writes what a node runs, if that is new, with the events that tell of it.
func Report(ctx context.Context, store election.Store, environment, node string, s *fleet.Status, now time.Time) error {
	key := fleet.StatusKey(environment, node)
	for range tries {
		page, err := store.Range(ctx, election.Span{Keys: election.Key(key)})
		if err != nil {
			return err
		}
		was, at := &fleet.Status{}, int64(0)
		if len(page.Entries) > 0 {
			at = page.Entries[0].Modified
			if was, err = fleet.DecodeStatus(key, page.Entries[0].Value); err != nil {
				was = &fleet.Status{}
			}
		}
		if at != 0 && was.Same(s) {
			return nil // an answer was lost, or the node does not know that it is there
		}
		s.Seq = was.Seq + 1
		txn := election.Txn{If: []election.Compare{unchanged(key, at)}, Then: []election.Op{election.Put(key, s.Encode(), 0)}}
		for _, e := range nodeEvents(node, was, s, now) {
			txn.Then = append(txn.Then, election.Put(NodeEventKey(e.Deployment, node, e.Seq), encode(&e), 0))
		}
		r, err := store.Txn(ctx, txn)
		if err != nil {
			return err
		}
		if r.OK {
			return nil
		}
	}
	return ErrBusy
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
