//go:build !linux

package election

import "time"

// sinceBoot is a clock that counts on while the machine is suspended, where Go's own
// monotonic clock does: on Windows, and on BSDs. Darwin's stops; what a lease has
// lost meanwhile shows at the next renewal, and guards refuse what comes before.
func sinceBoot() time.Duration { return sinceStart() }
