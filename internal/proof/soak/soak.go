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
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// Role is the variable that says what a process is to be, as JSON.
const Role = "TOWPATH_PROOF"

// role has one field set.
type role struct {
	Lab       *Options               `json:",omitempty"`
	Member    *cluster.MemberOptions `json:",omitempty"`
	Candidate *candidate.Options     `json:",omitempty"`
	Register  *registerOptions       `json:",omitempty"`
	Uploader  *uploaderOptions       `json:",omitempty"`
}

func (r role) variable() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return Role + "=" + string(text)
}

// Child does what this process is to do if it is a child of a run, and then ends it.
func Child() {
	text := os.Getenv(Role)
	if text == "" {
		return
	}
	var r role
	err := json.Unmarshal([]byte(text), &r)
	switch {
	case err != nil:
	case r.Lab != nil:
		err = inside(*r.Lab)
	case r.Member != nil:
		err = runMember(*r.Member)
	case r.Candidate != nil:
		err = candidate.Run(*r.Candidate, os.Stdin)
	case r.Register != nil:
		err = runRegister(*r.Register)
	case r.Uploader != nil:
		err = runUploader(*r.Uploader)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}

// Run runs a lab to its end, printing to the standard output, and returns what there is
// to say of it.
func Run(o Options) (*verdict.Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	var err error
	if o.Dir == "" {
		o.Dir, err = os.MkdirTemp("", "soak-")
	} else {
		err = os.MkdirAll(o.Dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	code, err := lab.Enter(nil, role{Lab: &o}.variable())
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("the run failed: see above, and %s", o.Dir)
	}
	text, err := os.ReadFile(filepath.Join(o.Dir, reportFile))
	if err != nil {
		return nil, err
	}
	var report verdict.Report
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("%s: %w", reportFile, err)
	}
	return &report, nil
}

const reportFile = "report.json"
