//go:build linux

package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"towpath.dev/internal/proof/lab"
)

// An actor is a process that is started again whenever it has ended, however that was.
type actor struct {
	name string
	host *lab.Host
	log  string                // the file that its output goes to
	role func(life int) string // of a life, counted from 1

	mu      sync.Mutex
	process *lab.Process
	life    int
	rest    time.Duration // before it starts again, once
	away    float64       // how often object storage fails for it
	ended   chan struct{} // closed when run has
	end     context.CancelFunc
}

const (
	restartAfter = 200 * time.Millisecond
	endsWithin   = 10 * time.Second
)

// begin starts the process, and has it start again until the actor ends.
func (a *actor) begin(fail func(error)) error {
	if err := a.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.end, a.ended = cancel, make(chan struct{})
	go func() {
		defer close(a.ended)
		for {
			select {
			case <-a.now().Done():
			case <-ctx.Done():
				a.close()
				return
			}
			a.mu.Lock()
			rest := restartAfter + a.rest
			a.rest = 0
			a.mu.Unlock()
			pause(ctx, rest)
			if ctx.Err() != nil {
				return
			}
			if err := a.start(); err != nil {
				fail(err)
				return
			}
		}
	}()
	return nil
}

func (a *actor) start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.life++
	p, err := a.host.Start(a.name, a.log, a.role(a.life))
	if err != nil {
		return err
	}
	a.process = p
	return a.tell()
}

// tell says how often object storage fails; the caller holds mu.
func (a *actor) tell() error {
	if err := a.process.Tell(fmt.Sprint(awayCommand, a.away)); err != nil {
		select {
		case <-a.process.Done(): // it hears nothing any more
			return nil
		default:
			return err
		}
	}
	return nil
}

func (a *actor) now() *lab.Process {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.process
}

// lives is which life the process is in.
func (a *actor) lives() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.life
}

// kill ends the process at once. It starts again after a time.
func (a *actor) kill(rest time.Duration) {
	a.mu.Lock()
	a.rest = rest
	p := a.process
	a.mu.Unlock()
	p.Kill()
}

// fail has object storage fail for the process, at a rate from 0 to 1.
func (a *actor) fail(rate float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = rate
	_ = a.tell() // it dies just now, and hears of it when it starts again
}

// close lets the process end, and kills it if it does not.
func (a *actor) close() {
	p := a.now()
	go p.End()
	select {
	case <-p.Done():
	case <-time.After(endsWithin):
		fmt.Println(a.name, "did not end when it was told to, and was killed")
		p.Kill()
	}
}

// finish ends the actor, and waits until its process has ended.
func (a *actor) finish() {
	a.end()
	<-a.ended
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
