package fleet

import (
	"context"
	"time"

	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// A Link is a node's connection to the control nodes.
type Link interface {
	// Follow sends the intents of the node's cell, by program: all of them at once, and all
	// again whenever one has changed. It ends, and closes the channel, with the context or
	// with the connection, and is begun again then.
	Follow(ctx context.Context) (<-chan Heard, error)
	// Report has a status written. It gives an error when it may not have been.
	Report(ctx context.Context, s *Status) error
	// Count hands counters over, which are not kept. It says of which programs somebody asks for
	// them at present.
	Count(ctx context.Context, c *Counters) (asked []string, err error)
}

// Heard is what a control node says to a node.
type Heard struct {
	Intents map[string]*Intent
	Policy  []byte // the trust policy; nil: none is in force
	// Admitted is by which keys the releases of the intents were let in that are retired by now. The
	// node believes it as it believes the intents: with it, who is a part of the control plane can
	// have a release run that a retired key has signed, and none that nobody has, or a revoked key.
	Admitted release.Admitted
	// Held: the store was restored, and a person has to see what that says first. The node
	// goes on as it is, and says what it runs. The others are nothing then.
	Held bool
}

// A Host runs releases.
type Host interface {
	// Prepare makes a release ready to answer: compiled, bound to what answers its calls, and
	// warm. What is wrong with the release is a *Fault; any other error may pass.
	Prepare(ctx context.Context, program string, p *release.Loaded) (Prepared, error)
	// Place serves main, and beside to a share of the requests; nil is nothing. What was
	// placed before and is not any more is freed once its requests have ended, and its probe,
	// if that has been ended a moment ago.
	Place(program string, main, beside Prepared, share float64) error
	// Counts are the counters of what is placed, by program.
	Counts() map[string][]Count
}

// A Checker is a Host that can say, cheaply and before a release is needed, whether it could be
// bound here: what is wrong is a *Fault. So a secret that one node of many lacks stops a
// deployment before it has reached that node.
type Checker interface {
	Check(ctx context.Context, program string, p *release.Loaded) error
}

// A Readier is a Host that can say whether it answers: an error is why it does not. It is asked
// each second, and has 2 s for its answer. Who drains, does not listen yet or has nothing to
// serve has lost nothing, and says nil.
type Readier interface {
	Ready(ctx context.Context) error
}

// A Resolver is a Host that can say which secret references of a release's environment resolve
// here.
type Resolver interface {
	References(ctx context.Context, program string, p *release.Loaded) (References, error)
}

// Prepared is a release that is ready to answer.
type Prepared interface {
	// Probe tries out what answers its calls. An error that has a method Own and says true there is
	// of nothing but what came with the release.
	Probe(ctx context.Context) error
	// Close frees what was never placed. No probe of it is under way.
	Close()
}

// A Fault is what is wrong with a release on a node.
type Fault struct {
	Kind Kind
	Err  error
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// Counters are what a node's releases have done since they were placed. They grow, and begin
// anew when a release is placed anew, which Since says.
type Counters struct {
	Node        string `json:"node"`
	Incarnation string `json:"incarnation"`
	// Number grows with each time that they are handed over, and begins anew with the incarnation.
	Number   int64              `json:"number"`
	Programs map[string][]Count `json:"programs"`
	// Some: of the programs that are not among Programs nothing is said. Else the node runs none.
	Some bool `json:"some,omitempty"`
	// Age is how long ago they were handed over, as the control node says that tells them on.
	Age time.Duration `json:"age,omitempty"`
}

// A Count is of one view of one release.
type Count struct {
	Release  release.Digest   `json:"release"`
	Since    time.Time        `json:"since"` // when it was placed
	Beside   bool             `json:"beside,omitempty"`
	Share    float64          `json:"share,omitempty"` // of the root requests, that is given to what is beside
	View     string           `json:"view"`
	Requests int64            `json:"requests"`
	Gone     int64            `json:"gone,omitempty"` // whose clients did not wait for the answer; none of Requests
	Bad      map[string]int64 `json:"bad,omitempty"`  // by the names of verdict's metrics
	// Latency is of answered requests, and of those that are gone until they were; CPU is of all.
	// Both are in microseconds.
	Latency *verdict.Histogram `json:"latency,omitempty"`
	CPU     *verdict.Histogram `json:"cpu,omitempty"`
}
