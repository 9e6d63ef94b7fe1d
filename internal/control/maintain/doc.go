// Package maintain does by itself what a cluster of etcd needs: it forgets old revisions,
// gives the space that is free back to the disk, and mends what it can of a store that is
// full. It tells why it does something, and why it waits.
//
//	m, err := maintain.New(maintain.Options{Store: store, Cluster: maintain.Etcd(client, "me", nil), Log: log})
//	if err != nil {
//		return err
//	}
//	return m.Run(ctx) // until ctx ends
//
// Any number of processes may run one; who holds the seat of the group "maintainer" acts.
// Every so often each looks at the cluster. What is to be done then is one step, or none:
// [decide] says it, a pure function of what was seen and of what is remembered. A step is
// written to a journal under the guard of the seat, and then done. Steps may be done twice,
// by two processes, and be cut off: compaction goes one way, defragmentation changes nothing
// that can be read, an alarm that was disarmed too early is raised again.
//
// The history is what can still be read of the past. The floor is the revision up to which
// a backup has everything; history beyond it is kept for the backup, while there is room.
//
// A process acts on the members that it reaches. A control node reaches its own, as the
// clients' ports of the others are for their machines: if its member needs something that
// the holder of the seat cannot do, it asks for the seat.
//
// A store that is full takes no writes, and so elects nobody. Then each process acts
// without the seat on those members that the holder, if there is one, does not reach, one
// after the other as far as a clock can tell.
package maintain
