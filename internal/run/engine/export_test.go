package engine

// NewInstance makes an instance and throws it away.
func NewInstance(p *Program) error {
	in, err := p.newInstance()
	if err != nil {
		return err
	}
	in.close()
	return nil
}

// IdleMemory is the memory of the instances that wait for a request, from where
// static data ends.
func IdleMemory(p *Program) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all [][]byte
	for _, in := range p.idle {
		all = append(all, in.mem[p.manifest.HeapBase:])
	}
	return all
}

// KeptRequests is the scratch memory of requests that wait to be used again.
func KeptRequests(p *Program) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all [][]byte
	for _, r := range p.requests {
		all = append(all, r.copied[:cap(r.copied)], r.args[:cap(r.args)], r.texts[:cap(r.texts)])
		for _, c := range r.calls[:cap(r.calls)] {
			all = append(all, c.args, c.body)
		}
	}
	return all
}

// WholeIdleMemory is the memory of the instances that wait for a request.
func WholeIdleMemory(p *Program) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all [][]byte
	for _, in := range p.idle {
		all = append(all, in.mem)
	}
	return all
}
