package engine

import "syscall"

const osPage = 4096

// zeroPages zeroes mem, of which both ends are on a boundary of pages, and
// gives its pages back.
func zeroPages(mem []byte) {
	if syscall.Madvise(mem, syscall.MADV_DONTNEED) != nil {
		clear(mem)
	}
}
