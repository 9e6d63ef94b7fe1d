package verdict_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/proof/history"
	"towpath.dev/internal/proof/verdict"
)

func token(revision int64) election.Token { return election.Token{Revision: revision} }

const second = int64(time.Second)

// TestVerdicts judges small histories, each with what is wrong in it.
func TestVerdicts(t *testing.T) {
	permits := verdict.Permits{"stop": false, "restore": true}
	began := func(at int64, who string, revision int64) history.Record {
		return history.Record{At: at, Kind: history.Began, Who: who, Seat: "s/0", Token: token(revision)}
	}
	ended := func(at int64, who string, revision int64) history.Record {
		return history.Record{At: at, Kind: history.Ended, Who: who, Seat: "s/0", Token: token(revision)}
	}
	batch := func(at int64, kind history.Kind, who string, number uint64, revision int64, values []uint64, list ...history.Op) history.Record {
		return history.Record{At: at, Kind: kind, Who: who, Batch: number, Seat: "s/0", Token: token(revision), Ops: list, Values: values}
	}
	write := func(value uint64) history.Op { return history.Op{Register: 1, Value: value} }
	read := history.Op{Register: 1}
	for _, c := range []struct {
		name     string
		records  []history.Record
		wrong    map[string]int
		overlaps map[string]int
	}{
		{name: "one after the other", records: []history.Record{
			began(1, "a", 10), batch(2, history.Call, "a", 1, 10, nil, write(7)), batch(3, history.Accepted, "a", 1, 10, nil, write(7)),
			batch(4, history.Answer, "a", 1, 0, nil), ended(5, "a", 10),
			began(6, "b", 11), batch(7, history.Call, "b", 1, 11, nil, read), batch(8, history.Accepted, "b", 1, 11, []uint64{7}, read),
			batch(9, history.Answer, "b", 1, 0, []uint64{7}), ended(10, "b", 11),
		}},
		{name: "a write after a newer one", records: []history.Record{
			batch(1, history.Call, "a", 1, 10, nil, write(1)), batch(2, history.Call, "b", 1, 11, nil, write(2)),
			batch(3, history.Accepted, "b", 1, 11, nil, write(2)), batch(4, history.Accepted, "a", 1, 10, nil, write(1)),
		}, wrong: map[string]int{verdict.StaleWrite: 1}},
		{name: "a write sent after a newer one was heard of", records: []history.Record{
			batch(1, history.Call, "b", 1, 11, nil, write(2)), batch(2, history.Answer, "b", 1, 0, nil),
			batch(3, history.Call, "a", 1, 10, nil, write(1)), batch(4, history.Accepted, "a", 1, 10, nil, write(1)),
			batch(5, history.Accepted, "b", 1, 11, nil, write(2)), batch(6, history.Answer, "a", 1, 0, nil),
		}, wrong: map[string]int{verdict.StaleWrite: 1}},
		{name: "a refusal", records: []history.Record{
			batch(1, history.Call, "a", 1, 10, nil, write(1)), batch(2, history.Refused, "a", 1, 10, nil, write(1)), batch(3, history.Denial, "a", 1, 0, nil),
		}},
		{name: "an accepted batch that is not there", records: []history.Record{
			batch(1, history.Call, "a", 1, 10, nil, write(1)), batch(2, history.Answer, "a", 1, 0, nil),
		}, wrong: map[string]int{verdict.LostWrite: 1}},
		{name: "a refused batch that was done", records: []history.Record{
			batch(1, history.Call, "a", 1, 10, nil, write(1)), batch(2, history.Accepted, "a", 1, 10, nil, write(1)), batch(3, history.Denial, "a", 1, 0, nil),
		}, wrong: map[string]int{verdict.LostWrite: 1}},
		{name: "a batch that nobody sent", records: []history.Record{
			batch(2, history.Accepted, "a", 1, 10, nil, write(1)),
		}, wrong: map[string]int{verdict.LostWrite: 1}},
		{name: "a read of what was overwritten", records: []history.Record{
			batch(1, history.Call, "a", 1, 10, nil, write(1)), batch(2, history.Accepted, "a", 1, 10, nil, write(1)), batch(3, history.Answer, "a", 1, 0, nil),
			batch(4, history.Call, "a", 2, 10, nil, write(2)), batch(5, history.Accepted, "a", 2, 10, nil, write(2)), batch(6, history.Answer, "a", 2, 0, nil),
			batch(7, history.Call, "a", 3, 10, nil, read), batch(8, history.Accepted, "a", 3, 10, []uint64{1}, read), batch(9, history.Answer, "a", 3, 0, []uint64{1}),
		}, wrong: map[string]int{verdict.NotLinearizable: 1}},
		{name: "a read of what was never heard to be done", records: []history.Record{
			batch(1, history.Call, "a", 1, 10, nil, write(1)), batch(2, history.Accepted, "a", 1, 10, nil, write(1)),
			batch(7, history.Call, "b", 1, 11, nil, read), batch(8, history.Accepted, "b", 1, 11, []uint64{1}, read), batch(9, history.Answer, "b", 1, 0, []uint64{1}),
		}},
		{name: "tokens that do not grow", records: []history.Record{
			{At: 1, Kind: history.Held, Seat: "s/0", Token: token(4)}, {At: 2, Kind: history.Held, Seat: "s/1", Token: token(3)},
			{At: 3, Kind: history.Held, Seat: "s/0", Token: election.Token{Generation: 1, Revision: 2}}, {At: 4, Kind: history.Held, Seat: "s/0", Token: token(5)},
		}, wrong: map[string]int{verdict.TokenOrder: 1}},
		{name: "two leaders", records: []history.Record{
			began(1, "a", 10), began(2, "b", 11), ended(3, "a", 10), ended(4, "b", 11),
		}, wrong: map[string]int{verdict.Overlap: 1}},
		{name: "two leaders, the elder of which was stopped", records: []history.Record{
			began(1, "a", 10), {At: 2, Kind: history.Fault, Who: "a", Note: "stop"}, began(3, "b", 11),
			{At: 4, Kind: history.Healed, Who: "a", Note: "stop"}, ended(5, "a", 10), ended(6, "b", 11),
		}, overlaps: map[string]int{"stop": 1}},
		{name: "two leaders, the younger of which was stopped", records: []history.Record{
			began(1, "a", 10), {At: 2, Kind: history.Fault, Who: "b", Note: "stop"}, began(3, "b", 11),
			{At: 4, Kind: history.Healed, Who: "b", Note: "stop"}, ended(5, "a", 10), ended(6, "b", 11),
		}, wrong: map[string]int{verdict.Overlap: 1}},
		{name: "two leaders long after a stop", records: []history.Record{
			{At: 1, Kind: history.Fault, Who: "a", Note: "stop"}, {At: 2, Kind: history.Healed, Who: "a", Note: "stop"},
			began(5*second, "a", 10), began(6*second, "b", 11), ended(7*second, "a", 10), ended(8*second, "b", 11),
		}, wrong: map[string]int{verdict.Overlap: 1}},
		{name: "two leaders, and a restore", records: []history.Record{
			began(1, "a", 10), {At: 2, Kind: history.Fault, Note: "restore"}, {At: 3, Kind: history.Healed, Note: "restore"},
			began(4, "b", 11), ended(5, "a", 10), ended(6, "b", 11),
		}, overlaps: map[string]int{"restore": 1}},
		{name: "a restore gives a seat back, for no time at all", records: []history.Record{
			began(1, "a", 10), ended(2, "a", 10), began(3, "b", 11), ended(4, "b", 11),
			began(5, "a", 10), ended(5, "a", 10),
		}},
		{name: "a leader that was killed led until its last call", records: []history.Record{
			began(1, "a", 10), batch(3, history.Call, "a", 1, 10, nil, write(1)), began(2, "b", 11), ended(4, "b", 11),
		}, wrong: map[string]int{verdict.Overlap: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			slices.SortStableFunc(c.records, func(a, b history.Record) int { return int(a.At - b.At) })
			r := verdict.Of(c.records, permits, time.Second)
			wrong := map[string]int{}
			for _, v := range r.Violations {
				wrong[v.Kind]++
			}
			if !maps.Equal(wrong, c.wrong) && len(wrong)+len(c.wrong) > 0 {
				t.Errorf("found %v, expected %v: %v", wrong, c.wrong, r.Violations)
			}
			if !maps.Equal(r.Overlaps, c.overlaps) && len(r.Overlaps)+len(c.overlaps) > 0 {
				t.Errorf("overlaps that something permits are %v, expected %v", r.Overlaps, c.overlaps)
			}
		})
	}
}
