package verdict

import "testing"

// TestReplayStandsForTrafficOnly: a replay passes a candidate that nobody asks, or that does as the control
// does, and not one against which its traffic has something, however little that would be to abort.
func TestReplayStandsForTrafficOnly(t *testing.T) {
	for _, c := range []struct {
		name           string
		served, bad    Pair
		replay         Replay
		want           Decision
		how            string
		standsForCount bool
	}{
		{"nobody asks", Pair{}, Pair{}, Replay{Requests: 3000}, Pass, ByReplay, true},
		{"nobody asks, and the requests are made up", Pair{}, Pair{}, Replay{Requests: 3000, Generated: true}, Pass, ByGenerated, true},
		{"nothing is bad", Pair{40, 400}, Pair{}, Replay{Requests: 3000}, Pass, ByReplay, true},
		{"both are as bad", Pair{100, 900}, Pair{1, 40}, Replay{Requests: 3000}, Pass, ByReplay, true},
		{"one of few is bad, and of the control's none", Pair{20, 180}, Pair{1, 0}, Replay{Requests: 3000}, Undecided, "", false},
		{"some are bad, and of the control's none", Pair{100, 900}, Pair{3, 0}, Replay{Requests: 3000}, Undecided, "", false},
		{"too few were replayed", Pair{}, Pair{}, Replay{Requests: 500}, Undecided, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			test, err := New(Options{Metrics: []string{Error}})
			if err != nil {
				t.Fatal(err)
			}
			share := Stored(0.1)
			if err := test.Serve(c.served); err != nil {
				t.Fatal(err)
			}
			if err := test.Add(Error, share, c.bad); err != nil {
				t.Fatal(err)
			}
			if err := test.Replay(c.replay); err != nil {
				t.Fatal(err)
			}
			v := test.Verdict()
			if v.Decision != c.want || v.Ways[0].How != c.how || test.ByReplay() != c.standsForCount {
				t.Errorf("%s, by replay alone: %v; expected %s by %q", v, test.ByReplay(), c.want, c.how)
			}
		})
	}
}
