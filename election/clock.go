package election

import "time"

// A Clock says how much time has passed since an instant that does not change while
// the process runs. It must count the time in which the machine was suspended.
type Clock func() time.Duration

var start = time.Now()

func sinceStart() time.Duration { return time.Since(start) }
