//go:build !linux

package engine

const osPage = 4096

// zeroPages zeroes mem. Elsewhere than on Linux the pages that the advice
// takes back need not come back as zeroes.
func zeroPages(mem []byte) { clear(mem) }
