//go:build !(amd64 || arm64) || purego

package codec

import "encoding/binary"

// region is an instance's memory, every access checked; see region_unsafe.go.
type region struct{ mem []byte }

func regionOf(mem []byte) region { return region{mem} }

func (r region) u8(at uint) byte    { return r.mem[at] }
func (r region) u32(at uint) uint32 { return binary.LittleEndian.Uint32(r.mem[at:]) }
func (r region) u64(at uint) uint64 { return binary.LittleEndian.Uint64(r.mem[at:]) }

func (r region) put8(at uint, v byte)    { r.mem[at] = v }
func (r region) put32(at uint, v uint32) { binary.LittleEndian.PutUint32(r.mem[at:], v) }
func (r region) put64(at uint, v uint64) { binary.LittleEndian.PutUint64(r.mem[at:], v) }

// bytes is n bytes from at on, shared with the region.
func (r region) bytes(at, n uint) []byte { return r.mem[at : at+n : at+n] }
