package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// errCut says that the bytes end before what they announce.
var errCut = errors.New("cut short")

// Decode reads what Encode writes; custom sections other than "name" are passed
// over. It reads the format as far as we write it, and refuses the rest: tables,
// start functions, imports other than functions, data that is not at a constant
// address. The bytes may come from anywhere.
func Decode(data []byte) (*Module, error) {
	if !bytes.HasPrefix(data, []byte(Magic)) {
		return nil, errors.New("wasm: no module of version 1")
	}
	d := &decoder{m: &Module{}}
	for r := (reader{b: data[len(Magic):]}); len(r.b) > 0; {
		id, at := r.byte(), len(data)-len(r.b)
		s := &reader{b: r.bytes()}
		err := r.err
		if err == nil {
			err = d.section(id, s)
		}
		if err == nil && len(s.b) > 0 && id != secCustom {
			err = fmt.Errorf("%d bytes too many", len(s.b))
		}
		if err != nil {
			return nil, fmt.Errorf("wasm: section %d at byte %d: %w", id, at, err)
		}
	}
	if len(d.declared) != len(d.m.Funcs) {
		return nil, errors.New("wasm: functions without code")
	}
	return d.m, nil
}

// decoder holds what sections need of those before them.
type decoder struct {
	m        *Module
	types    []FuncType
	declared []FuncType // of the module's own functions
	locals   int        // of all functions
}

func (d *decoder) section(id byte, r *reader) error {
	switch id {
	case secCustom:
		if r.str() == "name" {
			d.names(r)
		}
	case secType:
		r.each(func() { d.types = append(d.types, r.funcType()) })
	case secImport:
		r.each(func() {
			imp := Import{Module: r.str(), Name: r.str()}
			if kind := Kind(r.byte()); r.err == nil && kind != ExportFunc {
				r.err = fmt.Errorf("an import of kind %d", kind)
			}
			imp.Type = d.typeAt(r)
			d.m.Imports = append(d.m.Imports, imp)
		})
	case secFunction:
		r.each(func() { d.declared = append(d.declared, d.typeAt(r)) })
	case secMemory:
		r.each(func() { d.memory(r) })
	case secGlobal:
		r.each(func() {
			g := Global{Type: r.valType()}
			r.want(1, "a global that never changes")
			g.Init = r.constant(g.Type)
			d.m.Globals = append(d.m.Globals, g)
		})
	case secExport:
		r.each(func() {
			d.m.Exports = append(d.m.Exports, Export{Name: r.str(), Kind: Kind(r.byte()), Index: r.u32()})
		})
	case secCode:
		r.each(func() { d.code(r) })
	case secData:
		r.each(func() {
			r.want(0, "data that is not placed at once")
			offset := uint32(r.constant(I32))
			d.m.Data = append(d.m.Data, Data{Offset: offset, Bytes: bytes.Clone(r.bytes())})
		})
	default:
		return errors.New("not a section that we write")
	}
	return r.err
}

func (d *decoder) typeAt(r *reader) FuncType {
	i := r.u32()
	if r.err == nil && int(i) >= len(d.types) {
		r.err = fmt.Errorf("there is no type %d", i)
	}
	if r.err != nil {
		return FuncType{}
	}
	return d.types[i]
}

func (d *decoder) memory(r *reader) {
	r.want(1, "a memory without a bound")
	m := &Memory{Min: r.u32(), Max: r.u32()}
	if r.err == nil && d.m.Memory != nil {
		r.err = errors.New("a second memory")
	}
	d.m.Memory = m
}

func (d *decoder) code(r *reader) {
	body := &reader{b: r.bytes(), err: r.err}
	i := len(d.m.Funcs)
	if body.err == nil && i >= len(d.declared) {
		body.err = errors.New("code without a function")
	}
	f := Func{}
	body.each(func() {
		n, t := body.u32(), body.valType()
		if d.locals += int(n); body.err == nil && d.locals > maxLocals {
			body.err = fmt.Errorf("more than %d locals", maxLocals)
		}
		for ; body.err == nil && n > 0; n-- {
			f.Locals = append(f.Locals, t)
		}
	})
	if body.err == nil && (len(body.b) == 0 || body.b[len(body.b)-1] != End) {
		body.err = errors.New("code without an end")
	}
	if r.err = body.err; r.err != nil {
		return
	}
	f.Type = d.declared[i]
	f.Code = bytes.Clone(body.b[:len(body.b)-1])
	d.m.Funcs = append(d.m.Funcs, f)
}

// maxLocals bounds the locals of all functions together: two bytes of the format
// can announce any number of them.
const maxLocals = 1 << 22

// names reads the names of the module and of its functions.
func (d *decoder) names(r *reader) {
	for r.err == nil && len(r.b) > 0 {
		kind := r.byte()
		sub := &reader{b: r.bytes(), err: r.err}
		switch kind {
		case 0:
			d.m.Name = sub.str()
		case 1:
			sub.each(func() {
				i, name := int(sub.u32())-len(d.m.Imports), sub.str()
				if i >= 0 && i < len(d.m.Funcs) {
					d.m.Funcs[i].Name = name
				}
			})
		}
		r.err = sub.err
	}
}

// reader reads the format's basic forms. After an error it reads zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) byte() byte {
	if r.err != nil || len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errCut
	}
	r.b = nil
}

// want reads a byte that must have a value.
func (r *reader) want(c byte, otherwise string) {
	if r.byte() != c && r.err == nil {
		r.err = errors.New(otherwise)
	}
}

func (r *reader) u32() uint32 {
	n, width := binary.Uvarint(r.b)
	if r.err != nil || width <= 0 || width > 5 || n > 1<<32-1 {
		r.fail()
		return 0
	}
	r.b = r.b[width:]
	return uint32(n)
}

// sleb reads a signed LEB128 number.
func (r *reader) sleb() int64 {
	var n int64
	for shift := 0; shift < 70; shift += 7 {
		c := r.byte()
		n |= int64(c&0x7f) << shift
		if c < 0x80 {
			if shift+7 < 64 {
				n = n << (57 - shift) >> (57 - shift)
			}
			return n
		}
	}
	r.fail()
	return 0
}

// bytes reads a length and as many bytes.
func (r *reader) bytes() []byte {
	n := r.u32()
	if r.err != nil || int64(n) > int64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) str() string { return string(r.bytes()) }

// each reads the count of a vector and calls f as often.
func (r *reader) each(f func()) {
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		f()
	}
}

func (r *reader) valType() ValType {
	t := ValType(r.byte())
	if r.err == nil && t != I32 && t != I64 && t != F64 {
		r.err = fmt.Errorf("the type %#x", byte(t))
	}
	return t
}

func (r *reader) funcType() (t FuncType) {
	r.want(0x60, "a type that is no function's")
	r.each(func() { t.Params = append(t.Params, r.valType()) })
	r.each(func() { t.Results = append(t.Results, r.valType()) })
	return t
}

// f64 reads the bits of a Float.
func (r *reader) f64() uint64 {
	if r.err != nil || len(r.b) < 8 {
		r.fail()
		return 0
	}
	bits := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return bits
}

// constant reads a constant expression of a type: its bits.
func (r *reader) constant(t ValType) (bits uint64) {
	var want byte
	switch t {
	case I32:
		want = opI32Const
	case I64:
		want = opI64Const
	default:
		want = opF64Const
	}
	r.want(want, "a constant of another form")
	switch t {
	case I32:
		bits = uint64(uint32(r.sleb()))
	case I64:
		bits = uint64(r.sleb())
	default:
		bits = r.f64()
	}
	r.want(End, "a constant that is computed")
	return bits
}
