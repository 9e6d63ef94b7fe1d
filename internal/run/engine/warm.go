package engine

// Warm makes instances until n are idle, at most Options.Idle, so that the
// first requests after a start or a swap do not pay for them.
func (p *Program) Warm(n int) error {
	n = min(n, p.opts.Idle)
	for {
		p.mu.Lock()
		enough := len(p.idle) >= n
		p.mu.Unlock()
		if enough {
			return nil
		}
		in, err := p.newInstance()
		if err != nil {
			return err
		}
		p.release(in)
	}
}
