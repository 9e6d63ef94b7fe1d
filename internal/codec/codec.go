// Package codec turns JSON into values in a module's memory and back, by plans
// made from the types' layouts in [abi.Schema].
//
// A [Codec] holds the plans of one schema. A [Decoder] reads a body that
// already lies in the region and builds the value above it; strings without
// escapes are not copied but point into the body. Append writes a value as
// compact JSON, straight out of memory.
//
//	plans, err := codec.New(&manifest.Schema)
//	n := copy(mem[at:], request)
//	var d codec.Decoder
//	value, heap, err := d.Decode(plans.Plan(view.Input), mem, codec.Body{Addr: at, Len: uint32(n)}, at+codec.Room(n), limit)
//	answer, err := plans.Plan(view.Result).Append(nil, mem, result)
//
// # The mapping
//
//	Bool        true, false
//	Int         a number in integer syntax: 1.0 and 1e2 are refused, and so is what needs more than 64 bits
//	Float       a number, rounded to the nearest float; 1e999 is refused. Written shortest, in
//	            exponent form below 1e-6 and from 1e21 on, -0 as 0; an infinity or NaN cannot be written
//	Decimal     a string or a number, exact; written as a string without trailing zeros, "2.5"
//	Money       {"amount": "19.90", "currency": "USD"}, the amount a string or a number; written
//	            with the digits of the currency's smallest unit at least
//	String      a string
//	Duration    "1h30m": an optional -, then numbers each with a unit (d h m s ms us ns), units
//	            descending; the last number may have a fraction if it is whole nanoseconds
//	Instant     RFC 3339, to nanoseconds, "2026-01-31T09:30:00Z"; written in UTC
//	Date        "2026-01-31"
//	Json        any value; its text without white space
//	List        an array
//	Set         an array in any order; an element twice is refused
//	Map         an object when the keys are String, Int, Date, an Enum, or a wrapper of one;
//	            else an array of [key, value]; a key twice is refused
//	Tuple       an array
//	Record      an object
//	Enum        a string
//	Variant     {"type": "Used", "grade": 3}
//	Option      null or an absent member is None; None is not written as a member, elsewhere null
//	Wrapper     what it wraps
//
// Members may come in any order. Those that a type does not know are checked
// and skipped, or refused when the decoder is Strict. One that it does know may
// come once. An absent member with a default stands for the default's text.
// The whole text must be JSON as RFC 8259 has it, in valid UTF-8, without lone
// surrogates, and nest at most 128 deep.
package codec

import (
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
)

// MaxDepth is how deep arrays and objects may nest, in what is read and in what
// is written.
const MaxDepth = 128

// ErrMemory says that a value does not fit between heap and limit.
var ErrMemory = errors.New("the value does not fit the memory")

// ErrTooLong says that a value's text would have more than MaxText bytes.
var ErrTooLong = errors.New("the value's JSON is longer than 64 MiB")

// Codec holds the plans for all types of a schema. It is immutable.
type Codec struct {
	schema *abi.Schema
	nodes  []node
	// guesses has for each field of each object another to look for where that
	// was expected and does not come: at first itself.
	guesses []int32
}

// Plan reads, writes and compares values of one type.
type Plan struct {
	node  *node
	codec *Codec
}

// New makes the plans of a schema. The error says what is wrong with it.
func New(schema *abi.Schema) (*Codec, error) {
	c := &Codec{schema: schema, nodes: make([]node, len(schema.Types))}
	for _, check := range []func(abi.TypeID) error{c.checkElem, c.check} {
		for i := range schema.Types {
			if err := check(abi.TypeID(i)); err != nil {
				return nil, fmt.Errorf("type %d, %s: %w", i, schema.Types[i].Name, err)
			}
		}
	}
	for i := range schema.Types {
		c.plan(abi.TypeID(i))
	}
	if err := c.planDefaults(); err != nil {
		return nil, err
	}
	return c, nil
}

// Plan is the plan of a type of the schema.
func (c *Codec) Plan(id abi.TypeID) Plan { return Plan{c.node(id), c} }

// Room is the bytes to set apart for a body of n bytes: 8-aligned, one byte for
// the decoder's sentinel included.
func Room(n int) uint32 { return abi.Align(uint32(n)+1, 8) }

// Error says where a text is not what was expected.
type Error struct {
	Path     string // "$.offers[3].price"
	Offset   int    // bytes from the body's start
	Expected string // "Int"
	Found    string // `string "12"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("at %s: expected %s, found %s", e.Path, e.Expected, e.Found)
}

// CorruptError says that memory does not hold a value of the type: the module
// that wrote it, or the schema, is broken.
type CorruptError struct {
	Type string
	Addr uint32
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the memory at %d holds no %s", e.Addr, e.Type)
}

// ValueError says that a value has no JSON: a Float that is infinite, a Date
// beyond year 9999, a nesting too deep.
type ValueError struct {
	Path   string
	Reason string
}

func (e *ValueError) Error() string { return fmt.Sprintf("at %s: %s", e.Path, e.Reason) }
