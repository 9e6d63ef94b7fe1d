//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A proof is one program: it runs itself again inside of a lab, and there once for each
// process, which finds out from its environment what it is to be. That is its role: a struct of
// which one field is set, as JSON.
const variable = "TOWPATH_PROOF"

// ReportFile is what a run leaves in its folder: what there is to say of it, as JSON.
const ReportFile = "report.json"

// Role is the entry of a process's environment that says what it is to be.
func Role(role any) string {
	text, err := json.Marshal(role)
	if err != nil {
		panic(err) // a role that cannot be written is a mistake of the program
	}
	return variable + "=" + string(text)
}

// Child does what this process is to do if it has a role, and then ends it.
func Child[R interface{ Run() error }]() {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	var role R
	err := json.Unmarshal([]byte(text), &role)
	if err == nil {
		err = role.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}

// Folder makes the folder of a run: dir, or a new one when that is "".
func Folder(dir, pattern string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", pattern)
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// Run runs this program again inside of a lab, in a role, and reads the report that it leaves
// in a folder.
func Run(role any, dir string, report any) error {
	code, err := Enter(nil, Role(role))
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("the run failed: see above, and %s", dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, ReportFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, report); err != nil {
		return fmt.Errorf("%s: %w", ReportFile, err)
	}
	return nil
}

// Leave writes the report of a run for [Run] to read.
func Leave(dir string, report any) error {
	text, err := json.MarshalIndent(report, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ReportFile), text, 0o600)
}
