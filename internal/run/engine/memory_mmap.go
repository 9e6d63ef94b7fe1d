//go:build linux || darwin

package engine

import (
	"fmt"
	"syscall"
)

// pages is memory from the operating system: it takes up what has been
// touched, and can be given back in part.
type pages struct{ mem []byte }

// newPages reserves n bytes, all zero.
func newPages(n uint64) (*pages, error) {
	mem, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("engine: reserving %d bytes of memory: %w", n, err)
	}
	return &pages{mem}, nil
}

// Reallocate implements wazero's experimental.LinearMemory; memories have a
// fixed size here.
func (p *pages) Reallocate(size uint64) []byte {
	if size > uint64(len(p.mem)) {
		return nil
	}
	return p.mem[:size]
}

// Free implements wazero's experimental.LinearMemory.
func (p *pages) Free() {
	if p.mem != nil {
		_ = syscall.Munmap(p.mem)
		p.mem = nil
	}
}
