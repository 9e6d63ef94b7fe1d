//go:build linux

// Package soak runs candidates, an etcd cluster and a guarded register for a while,
// breaks them, and judges what happened.
//
// It is one program: it runs itself again inside of a lab, and there once for each
// process, which finds out from its environment what it is to be. A test's program does
// the same once its TestMain calls [Child].
package soak

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"towpath.dev/internal/proof/candidate"
	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/lab"
	"towpath.dev/internal/proof/nemesis"
	"towpath.dev/internal/proof/verdict"
)

// Options say what to run. The zero value works.
type Options struct {
	Seconds    int    // for how long things break: 0 is 60
	Seed       uint64 // 0 is 1
	Nemeses    string // names with commas between; "" is all
	Candidates int    // 0 is 5
	TTL        int    // seconds: 0 is 2
	Margin     int    // of sessions, in milliseconds: 0 is what they take by themselves
	Mutant     string // a mistake that the run has to find out; "" is none
	Dir        string // for logs and data: "" is a new one
}

// Mutants are the mistakes that a run has to find out.
var mutants = map[string]string{
	"unfenced": "the register refuses nothing",
	"stock":    "candidates campaign with etcd's own package",
	"receipt":  "a lease's time is measured from when the answer came",
}

// Validate says all that is wrong with options.
func (o Options) Validate() error {
	var wrong []error
	if o.Seconds < 0 || o.Candidates < 0 || o.TTL < 0 || o.Margin < 0 {
		wrong = append(wrong, fmt.Errorf("%d seconds, %d candidates, a TTL of %d s and a margin of %d ms: expected none to be below 0", o.Seconds, o.Candidates, o.TTL, o.Margin))
	}
	if _, err := nemesis.Named(cmp.Or(o.Nemeses, "all")); err != nil {
		wrong = append(wrong, err)
	}
	if o.Mutant != "" && mutants[o.Mutant] == "" {
		wrong = append(wrong, fmt.Errorf("there is no mutant %q: expected unfenced, stock or receipt", o.Mutant))
	}
	return errors.Join(wrong...)
}

func (o Options) withDefaults() Options {
	o.Seconds = cmp.Or(o.Seconds, 60)
	o.Seed = cmp.Or(o.Seed, 1)
	o.Nemeses = cmp.Or(o.Nemeses, "all")
	o.Candidates = cmp.Or(o.Candidates, 5)
	o.TTL = cmp.Or(o.TTL, 2)
	return o
}

// replay is the command that runs the same again.
func (o Options) replay() string {
	text := fmt.Sprintf("go run ./internal/proof/cmd/soak --seconds %d --seed %d --nemeses %s --candidates %d --ttl %d", o.Seconds, o.Seed, o.Nemeses, o.Candidates, o.TTL)
	if o.Margin != 0 {
		text += fmt.Sprint(" --margin ", o.Margin)
	}
	if o.Mutant != "" {
		text += " --mutant " + o.Mutant
	}
	return text
}

func (o Options) ttl() time.Duration { return time.Duration(o.TTL) * time.Second }

// role has one field set.
type role struct {
	Lab       *Options               `json:",omitempty"`
	Member    *cluster.MemberOptions `json:",omitempty"`
	Candidate *candidate.Options     `json:",omitempty"`
	Register  *registerOptions       `json:",omitempty"`
	Uploader  *uploaderOptions       `json:",omitempty"`
}

// Run does what the role says.
func (r role) Run() error {
	switch {
	case r.Lab != nil:
		return inside(*r.Lab)
	case r.Member != nil:
		return runMember(*r.Member)
	case r.Candidate != nil:
		return candidate.Run(*r.Candidate, os.Stdin)
	case r.Register != nil:
		return runRegister(*r.Register)
	case r.Uploader != nil:
		return runUploader(*r.Uploader)
	}
	return errors.New("a process without a role")
}

// Child does what this process is to do if it is a child of a run, and then ends it.
func Child() { lab.Child[role]() }

// Run runs a lab to its end, printing to the standard output, and returns what there is
// to say of it.
func Run(o Options) (*verdict.Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	var err error
	if o.Dir, err = lab.Folder(o.Dir, "soak-"); err != nil {
		return nil, err
	}
	var report verdict.Report
	if err := lab.Run(role{Lab: &o}, o.Dir, &report); err != nil {
		return nil, err
	}
	return &report, nil
}
