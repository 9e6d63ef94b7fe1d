package engine

import (
	"encoding/binary"
	"math"

	"towpath.dev/internal/abi"
)

// A pass asks mostly what the pass before asked, with arguments that mostly lie
// where they lay: in the kept part, which does not change. The bits of the
// arguments' fields then tell that the arguments are the same, without a look
// at what they point to.

// argument is a field of an operation's arguments.
type argument struct {
	offset uint32
	class  class
}

// class says what the bits of a value tell.
type class uint8

const (
	classWord    class = iota // 4 bytes that are the value
	classWide                 // 8 bytes that are the value
	classAddress              // 4 bytes: an address, or none
	classSlice                // 8 bytes: an address in the upper half; all ones is a None
	classNumber               // 8 bytes: the value, or with bit 0 an address in the upper half
)

// arguments lists the fields of a record of arguments.
func arguments(s *abi.Schema, id abi.TypeID) []argument {
	var args []argument
	for _, f := range s.Types[id].Fields {
		args = append(args, argument{f.Offset, classOf(s, f.Type)})
	}
	return args
}

func classOf(s *abi.Schema, id abi.TypeID) class {
	for s.Types[id].Kind == abi.Wrapper {
		id = s.Types[id].Elem
	}
	switch s.Types[id].Kind {
	case abi.Bool, abi.Enum, abi.Date:
		return classWord
	case abi.Int, abi.Duration, abi.Instant, abi.Float:
		return classWide
	case abi.Decimal, abi.Money:
		return classNumber
	case abi.String, abi.Json, abi.List:
		return classSlice
	case abi.Option:
		if s.OptionForm(id) == abi.OptionAllOnes {
			return classSlice
		}
	}
	return classAddress
}

// image is the bits of a call's arguments as they were last seen, in
// request.bits from first on, and the end of the kept part then.
type image struct {
	first int32
	kept  uint32
}

// takeImage notes the bits of a call's arguments at an address.
func (r *request) takeImage(c *call, args []argument, at uint32) {
	if c.image.kept == 0 {
		c.image.first = int32(len(r.bits))
		for range args {
			r.bits = append(r.bits, 0)
		}
	}
	c.image.kept = r.kept
	mem := r.in.mem
	for i, a := range args {
		r.bits[int(c.image.first)+i] = a.load(mem, at)
	}
}

func (a argument) load(mem []byte, at uint32) uint64 {
	switch a.class {
	case classWord, classAddress:
		return uint64(binary.LittleEndian.Uint32(mem[at+a.offset:]))
	}
	return binary.LittleEndian.Uint64(mem[at+a.offset:])
}

// sameImage reports whether arguments are surely those of the call's image:
// the same bits, and addresses only of what does not change.
func (r *request) sameImage(c *call, args []argument, at uint32) bool {
	mem, kept := r.in.mem, uint64(c.image.kept)
	if kept == 0 {
		return false
	}
	for i, a := range args {
		v := a.load(mem, at)
		if v != r.bits[int(c.image.first)+i] {
			return false
		}
		switch a.class {
		case classAddress:
			if v >= kept {
				return false
			}
		case classSlice:
			if v>>32 >= kept && v != math.MaxUint64 {
				return false
			}
		case classNumber:
			if v&1 != 0 && v>>32 >= kept {
				return false
			}
		}
	}
	return true
}
