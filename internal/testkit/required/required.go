// Package required is what a test needs that Go's toolchain does not bring: where that is missing
// the test is skipped, or fails once everything has to be tested.
//
//	if bin == "" {
//		required.Missing(t, "there is no protoc; install it with tools/install")
//	}
//	server := required.Built(t, "versitygw-"+version, "versitygw", "tools/versitygw")
package required

import (
	"os"
	"path/filepath"
	"testing"
)

// Variable is the environment variable that makes what is missing a failure.
const Variable = "TOWPATH_REQUIRE"

// All reports whether everything has to be tested.
func All() bool { return os.Getenv(Variable) != "" }

// Missing skips the test, or fails it where everything has to be tested. The text says what is
// missing and what brings it.
func Missing(t testing.TB, text string) {
	t.Helper()
	if All() {
		t.Fatal(text)
	}
	t.Skip(text)
}

// Built is the path of a program that a tool of the project builds into a folder of the user's cache.
func Built(t testing.TB, folder, program, by string) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	path := filepath.Join(cache, "towpath", folder, program)
	if _, err := os.Stat(path); err != nil {
		Missing(t, "there is no "+path+"; build it with "+by)
	}
	return path
}
