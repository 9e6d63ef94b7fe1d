//go:build (amd64 || arm64) && !purego

package codec

import "unsafe"

// region is an instance's memory without bounds checks: the decoder reads a
// body that ends in a sentinel (see Body) and writes only what alloc gave it.
// Reading through a slice costs it a quarter of its speed; build with the tag
// purego to have every access checked, as the tests do too.
//
// Values are little-endian, as WebAssembly's are and both machines here.
type region struct{ base unsafe.Pointer }

func regionOf(mem []byte) region { return region{unsafe.Pointer(unsafe.SliceData(mem))} }

func (r region) u8(at uint) byte    { return *(*byte)(unsafe.Add(r.base, at)) }
func (r region) u32(at uint) uint32 { return *(*uint32)(unsafe.Add(r.base, at)) }
func (r region) u64(at uint) uint64 { return *(*uint64)(unsafe.Add(r.base, at)) }

func (r region) put8(at uint, v byte)    { *(*byte)(unsafe.Add(r.base, at)) = v }
func (r region) put32(at uint, v uint32) { *(*uint32)(unsafe.Add(r.base, at)) = v }
func (r region) put64(at uint, v uint64) { *(*uint64)(unsafe.Add(r.base, at)) = v }

// bytes is n bytes from at on, shared with the region.
func (r region) bytes(at, n uint) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(r.base, at)), n)
}
