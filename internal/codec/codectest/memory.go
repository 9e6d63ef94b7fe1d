package codectest

import (
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// Memory is a region with a schema's plans, for tests that read and write values.
type Memory struct {
	Schema *abi.Schema
	Plans  *codec.Codec
	Mem    []byte
	Heap   uint32 // where the next body or value goes
	// Decoder reads all texts, so that what it learned from one is there for the
	// next.
	Decoder codec.Decoder
}

// NewMemory makes a region of a schema's text; see Schema.
func NewMemory(t testing.TB, schema string) *Memory {
	t.Helper()
	s := Schema(t, schema)
	plans, err := codec.New(s)
	if err != nil {
		t.Fatal(err)
	}
	m := &Memory{Schema: s, Plans: plans, Mem: make([]byte, 1<<20)}
	m.Heap = Static(s, m.Mem)
	return m
}

// Decode puts a text into memory and reads it as a value of the named type.
func (m *Memory) Decode(name, text string) (uint64, error) {
	at := m.Heap
	if int(at)+len(text)+1024 > len(m.Mem) {
		return 0, codec.ErrMemory
	}
	copy(m.Mem[at:], text)
	v, heap, err := m.Decoder.Decode(m.Plan(name), m.Mem, codec.Body{Addr: at, Len: uint32(len(text))}, at+codec.Room(len(text)), uint32(len(m.Mem)-64))
	if err == nil {
		m.Heap = heap
	}
	return v, err
}

// Plan is the plan of the named type.
func (m *Memory) Plan(name string) codec.Plan {
	return m.Plans.Plan(Type(m.Schema, name))
}

// Encode is a value's JSON.
func (m *Memory) Encode(name string, v uint64) (string, error) {
	text, err := m.Plan(name).Append(nil, m.Mem, v)
	return string(text), err
}
