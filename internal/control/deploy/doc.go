// Package deploy carries releases to a fleet: by stages, watched by a verdict, and back when that
// is against them.
//
// A [Plan] says what is deployed and how; it is stored when somebody asks for it, and never
// changes. A [State] is how far it is. [next] is a pure function from both, and from the
// [World] as it is, to what is to be written: a [Move]. A [Controller] is elected for some of
// the programs, and writes moves, each in one transaction with its fencing token. What nodes
// do about it is package fleet's.
//
// The words: a stage is an onebox, one node that has the candidate beside the release it may
// replace, or a wave, a part of the nodes. A stage has steps: its gate (freezes, windows,
// approvals), probing, reaching its nodes, and baking, which is waiting for evidence. A
// deployment ends succeeded, returned, or without having done anything. Its outcome says whose
// doing that was.
package deploy
