// How much one caller may have at once.

package kv

import (
	"strconv"
	"sync"

	"connectrpc.com/connect"
)

// A limiter bounds what each caller has running.
type limiter struct {
	most int
	what string

	mu      sync.Mutex
	running map[string]int
}

// enter counts one more of a caller's, or refuses it.
func (l *limiter) enter(caller string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[caller] >= l.most {
		err := refuse(connect.CodeResourceExhausted, "%s has %d %s, the most that one caller may have: wait until some have ended, at least a second, and send this again", callerName(caller), l.most, l.what)
		err.Meta().Set("Retry-After", strconv.Itoa(1))
		return err
	}
	l.running[caller]++
	return nil
}

// leave counts one less.
func (l *limiter) leave(caller string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[caller]--; l.running[caller] == 0 {
		delete(l.running, caller)
	}
}

func callerName(caller string) string {
	if caller == "" {
		return "the caller"
	}
	return "the caller " + strconv.Quote(caller)
}
