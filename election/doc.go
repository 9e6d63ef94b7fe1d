// Package election elects leaders on etcd: one, several, or thousands of named ones,
// spread over the processes that want to lead.
//
// A [Session] is a process's part in elections: one lease of the store, however much it
// leads. Leaders are elected in groups, each of which has a name. A group has a number
// of equal seats ([Seats]), or it has partitions, which have names and are spread over
// all candidates ([Partitions]). Who holds a seat has a [Leadership], which is a context
// that ends before another one can hold the seat, and a [Token], which is greater than
// those of all holders before.
//
//	s, err := election.Open(ctx, election.Etcd(client), election.Options{})
//	…
//	defer s.Close(context.Background())
//	seats, err := s.Seats("invoices", election.SeatsOptions{})
//	…
//	err = seats.Run(ctx, func(ctx context.Context, l *election.Leadership) error {
//		return sendInvoices(ctx, l.Fence()) // until ctx ends
//	})
//
// The context ends in time where clocks go on and processes run. A process that was
// stopped and a lease that was revoked can make two leaders for a while: without a guard
// a lock is a hint. Guards check the token where the write happens, in the same step:
// [Leadership.Cmp] in a transaction of etcd, [Fence.Raise] in one of PostgreSQL,
// [Handler] for requests over HTTP.
//
// A holder is asked to hand over ([Leadership.Draining]), by a person, by the plan, or as
// its seat is no more. It finishes what it does and gives the seat up, which hands it to
// the next one in one step. A [Group] is a group seen from outside: asked, watched, and
// told what to do.
//
// Partitions go where a [Policy] says. One candidate, the assigner, works that out and
// writes the plan; the others take what it names them for.
//
// docs/election.md teaches all of it, and says what to operate it with.
package election
