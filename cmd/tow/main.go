// Command tow is the whole of Towpath on the command line: it checks, tests,
// formats, builds and runs programs in the language Tow. "tow" alone says what
// it can do, "tow help COMMAND" more about one thing.
//
// It exits with 0 when all is well, with 1 when the user's program is at fault,
// and with 2 when it could not do what it was asked to.
package main

import (
	"os"
	"runtime/debug"
)

func main() {
	if os.Getenv("GOGC") == "" {
		// A command is short: collecting less often saves a quarter of the
		// compiler's time, for memory that is soon given back whole.
		debug.SetGCPercent(400)
	}
	os.Exit(run(os.Args[1:], terminal()))
}
