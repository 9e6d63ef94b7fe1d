// Package fleet is what the nodes of an environment shall run, and what they do run.
//
// An [Intent] says of a cell and a program which release its nodes shall run; controllers
// write it. A [Status] says what one node runs; only that node writes it, and only when it
// changes ([Filed] is how it lies in the store). An [Agent] is the part of a node that makes
// the one into the other: it fetches releases, has its [Host] make them ready, puts them in
// place, and says so. What it needs for that is on its own disk ([Memory]), so that a node
// serves on, and starts again, while nobody answers.
//
//	agent, err := fleet.NewAgent(fleet.Options{Node: "eu-1-a", Environment: "prod", Cell: "eu-1", Host: host, Link: link, ...})
//	err = agent.Run(ctx)
//
// The words: a release that is on trial is the candidate; a node runs one release as its main,
// and the onebox has the candidate beside it for a share of the requests. A node is attached
// while a control node hears of it.
package fleet
