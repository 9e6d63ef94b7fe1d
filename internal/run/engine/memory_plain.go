//go:build !(linux || darwin)

package engine

// pages is memory from Go's heap, where there is no other.
type pages struct{ mem []byte }

func newPages(n uint64) (*pages, error) { return &pages{make([]byte, n)}, nil }

// Reallocate implements wazero's experimental.LinearMemory.
func (p *pages) Reallocate(size uint64) []byte {
	if size > uint64(len(p.mem)) {
		return nil
	}
	return p.mem[:size]
}

// Free implements wazero's experimental.LinearMemory.
func (p *pages) Free() { p.mem = nil }
