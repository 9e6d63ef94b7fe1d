// Package deploytest has what tests of deployments share, whether they run in virtual time or on real
// processes: what can be wrong with a candidate and what must come of it, a node's host whose
// releases behave as they are said to, object storage that fails, and a judge that sees every
// write and says what is wrong.
//
//	judge := deploytest.NewJudge(func(v deploytest.Violation) { t.Error(v) })
//	for batch := range store.Watch(ctx, election.Prefix(fleet.Prefix), 1) {
//		for _, e := range batch.Events {
//			judge.See(e)
//		}
//	}
//	…
//	<-judge.Ended(id)
//	judge.Check(trial, found)
//
// It imports nothing of package deploy, and reads what is stored in words of its own: deploy's
// own tests can use it, and a mistake that is made there is not made here again.
package deploytest

import (
	"time"

	"towpath.dev/internal/control/release"
)

// Behaviour is how a release is.
type Behaviour struct {
	Errors   float64       // rate of answers that are errors, from 0 to 1
	Services float64       // rate of requests that fail with a service
	Slow     float64       // rate of answers that take long, beyond the few that always do
	Dies     time.Duration // after so long its node's process ends; 0: never
	Unfit    bool          // no node can run it
	Unbound  bool          // what it calls does not answer it
}

// A Cause is what is wrong with a candidate, and what its deployment must come to.
type Cause struct {
	Name   string
	Was    Behaviour // the release that runs
	Is     Behaviour // the candidate
	Asks   bool      // somebody asks for the release before
	Result string
	Blame  string
}

// What deployments come to, and whose doing it is, as the store has it.
const (
	succeeded = "succeeded"
	returned  = "returned"
	cancelled = "cancelled"

	nobody         = "nobody"
	yourCode       = "your code"
	yourDependency = "your dependency"
	aPerson        = "a person"
)

// Causes are all that there are. A candidate whose nodes die of it lives for as long as is said.
func Causes(dies time.Duration) []Cause {
	return []Cause{
		{Name: "good", Was: Behaviour{Errors: 0.0001}, Is: Behaviour{Errors: 0.0001}, Result: succeeded, Blame: nobody},
		{Name: "better", Was: Behaviour{Errors: 0.02}, Is: Behaviour{}, Result: succeeded, Blame: nobody},
		{Name: "errors", Was: Behaviour{Errors: 0.005}, Is: Behaviour{Errors: 0.2}, Result: returned, Blame: yourCode},
		{Name: "service", Was: Behaviour{Errors: 0.001}, Is: Behaviour{Services: 0.3}, Result: returned, Blame: yourDependency},
		{Name: "slow", Was: Behaviour{Errors: 0.001}, Is: Behaviour{Errors: 0.001, Slow: 0.3}, Result: returned, Blame: yourCode},
		{Name: "dies", Is: Behaviour{Dies: dies}, Result: returned, Blame: yourCode},
		{Name: "unfit", Is: Behaviour{Unfit: true}, Result: returned, Blame: yourCode},
		{Name: "unbound", Is: Behaviour{Unbound: true}, Result: returned, Blame: yourDependency},
		{Name: "asked", Was: Behaviour{Errors: 0.001}, Is: Behaviour{Errors: 0.001}, Asks: true, Result: returned, Blame: aPerson},
	}
}

// A Trial is a deployment with what is known of its candidate.
type Trial struct {
	ID       string
	Cause    Cause
	From, To release.Digest // what runs, and the candidate
}

// permits reports whether a trial may come to an outcome.
func (t *Trial) permits(o *Outcome) bool {
	early := t.Cause.Asks && o.Result == cancelled // nobody was there to begin it before
	return (o.Result == t.Cause.Result || early) && o.Blame == t.Cause.Blame
}

// Left is what nodes run after an outcome.
func (t *Trial) Left(o *Outcome) release.Digest {
	if o.Result == succeeded {
		return t.To
	}
	return t.From
}
