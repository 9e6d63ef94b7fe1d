//go:build linux

// Package rollout deploys candidates, whose faults are known, on a real etcd cluster, with
// controllers and nodes that are processes of their own, while all of them are killed, stopped
// and cut off; and judges what came of it. The simulation of internal/control/deploy is the
// same in virtual time, and the judge is the same one.
//
// A run is one deployment, over five nodes that no other run has. Several runs are a round:
// they go on side by side, and what befalls the cluster, the controllers and object
// storage befalls all of them.
//
// It is one program, as the soak is: it runs itself again inside of a lab, and there once for
// each process, which finds out from its environment what it is to be. A test's program does the
// same once its TestMain calls [Child].
package rollout

import (
	"cmp"
	"errors"
	"fmt"

	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/lab"
)

// Options say what to run. The zero value works.
type Options struct {
	Runs    int    // 0 is 3
	Lanes   int    // runs side by side, at most: 0 is 8
	Seconds int    // for how long things break at least, in a round: 0 is 12
	Faults  int    // how many befall each run at least: 0 is 20
	Seed    uint64 // of the first run, the others count on: 0 is 1
	Quiet   bool   // measure first how long runs take while nothing breaks, which bounds how long they may take
	Mutant  string // a mistake that the judge has to find out; "" is none
	Dir     string // for logs and data: "" is a new one
}

// mutants are the mistakes that a run has to find out.
var mutants = map[string]string{
	"unfenced": "some of what a controller writes comes again a second later, whatever has happened meanwhile",
	"greedy":   "a controller takes each request for more than one",
}

// Validate says all that is wrong with options.
func (o Options) Validate() error {
	var wrong []error
	if o.Runs < 0 || o.Lanes < 0 || o.Seconds < 0 || o.Faults < 0 {
		wrong = append(wrong, fmt.Errorf("%d runs, %d side by side, %d faults in %d seconds: expected none to be below 0", o.Runs, o.Lanes, o.Faults, o.Seconds))
	}
	if o.Lanes > mostLanes {
		wrong = append(wrong, fmt.Errorf("%d runs side by side: the lab has addresses for %d", o.Lanes, mostLanes))
	}
	if o.Mutant != "" && mutants[o.Mutant] == "" {
		wrong = append(wrong, fmt.Errorf("there is no mutant %q: expected unfenced or greedy", o.Mutant))
	}
	return errors.Join(wrong...)
}

// mostLanes is how many times five hosts a lab of 254 has room for, beside the others.
const mostLanes = 40

func (o Options) withDefaults() Options {
	o.Runs = cmp.Or(o.Runs, 3)
	o.Lanes = min(cmp.Or(o.Lanes, 8), o.Runs)
	o.Seconds = cmp.Or(o.Seconds, 12)
	o.Faults = cmp.Or(o.Faults, 20)
	o.Seed = cmp.Or(o.Seed, 1)
	return o
}

// replay is the command that runs the same again, as far as processes can.
func (o Options) replay() string {
	text := fmt.Sprintf("go run ./internal/proof/cmd/rollout --runs %d --lanes %d --seconds %d --faults %d --seed %d", o.Runs, o.Lanes, o.Seconds, o.Faults, o.Seed)
	if o.Mutant != "" {
		text += " --mutant " + o.Mutant
	}
	return text
}

// role has one field set.
type role struct {
	Lab        *Options               `json:",omitempty"`
	Member     *cluster.MemberOptions `json:",omitempty"`
	Controller *controllerOptions     `json:",omitempty"`
	Node       *nodeOptions           `json:",omitempty"`
}

// Run does what the role says.
func (r role) Run() error {
	switch {
	case r.Lab != nil:
		return inside(*r.Lab)
	case r.Member != nil:
		return runMember(*r.Member)
	case r.Controller != nil:
		return runController(*r.Controller)
	case r.Node != nil:
		return runNode(*r.Node)
	}
	return errors.New("a process without a role")
}

// Child does what this process is to do if it is a child of a run, and then ends it.
func Child() { lab.Child[role]() }

// Run runs a lab to its end, printing to the standard output, and returns what there is
// to say of it.
func Run(o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	var err error
	if o.Dir, err = lab.Folder(o.Dir, "rollout-"); err != nil {
		return nil, err
	}
	var report Report
	if err := lab.Run(role{Lab: &o}, o.Dir, &report); err != nil {
		return nil, err
	}
	return &report, nil
}
