package wasm

import "encoding/binary"

// The numbers of the sections that we write, in the order of the format.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
)

// Magic is how every module begins: "\0asm" and version 1.
const Magic = "\x00asm\x01\x00\x00\x00"

// Encode is the module in the binary format. Equal modules have equal bytes.
func (m *Module) Encode() []byte {
	size := 1024
	for i := range m.Funcs {
		size += len(m.Funcs[i].Code) + 2*len(m.Funcs[i].Name) + 16
	}
	for i := range m.Data {
		size += len(m.Data[i].Bytes)
	}
	out := append(make([]byte, 0, size), Magic...)
	types := m.types()
	out = section(out, secType, len(types.list), types.encode())
	out = section(out, secImport, len(m.Imports), m.imports(types))
	out = section(out, secFunction, len(m.Funcs), m.functions(types))
	if m.Memory != nil {
		b := append([]byte(nil), 1) // with a maximum
		b = Uleb(b, uint64(m.Memory.Min))
		out = section(out, secMemory, 1, Uleb(b, uint64(m.Memory.Max)))
	}
	out = section(out, secGlobal, len(m.Globals), m.globals())
	out = section(out, secExport, len(m.Exports), m.exports())
	out = section(out, secCode, len(m.Funcs), m.code())
	out = section(out, secData, len(m.Data), m.data())
	return AppendCustom(out, "name", m.names())
}

// AppendCustom appends a custom section to a module's bytes.
func AppendCustom(module []byte, name string, content []byte) []byte {
	b := str(nil, name)
	module = append(module, secCustom)
	module = Uleb(module, uint64(len(b)+len(content)))
	return append(append(module, b...), content...)
}

// section appends a section that is a vector of n things, if there are any.
func section(out []byte, id byte, n int, content []byte) []byte {
	if n == 0 {
		return out
	}
	count := Uleb(nil, uint64(n))
	out = append(out, id)
	out = Uleb(out, uint64(len(count)+len(content)))
	return append(append(out, count...), content...)
}

// typeTable numbers function types in the order of their first use.
type typeTable struct {
	index map[string]int
	list  []FuncType
}

func (m *Module) types() *typeTable {
	t := &typeTable{index: map[string]int{}}
	for i := range m.Imports {
		t.add(m.Imports[i].Type)
	}
	for i := range m.Funcs {
		t.add(m.Funcs[i].Type)
	}
	return t
}

func (t *typeTable) add(f FuncType) int {
	k := string(appendType(nil, f))
	i, ok := t.index[k]
	if !ok {
		i = len(t.list)
		t.index[k] = i
		t.list = append(t.list, f)
	}
	return i
}

func (t *typeTable) encode() (b []byte) {
	for _, f := range t.list {
		b = appendType(b, f)
	}
	return b
}

func appendType(b []byte, f FuncType) []byte {
	b = append(b, 0x60)
	for _, list := range [][]ValType{f.Params, f.Results} {
		b = Uleb(b, uint64(len(list)))
		for _, v := range list {
			b = append(b, byte(v))
		}
	}
	return b
}

func (m *Module) imports(types *typeTable) (b []byte) {
	for i := range m.Imports {
		imp := &m.Imports[i]
		b = str(str(b, imp.Module), imp.Name)
		b = append(b, byte(ExportFunc))
		b = Uleb(b, uint64(types.add(imp.Type)))
	}
	return b
}

func (m *Module) functions(types *typeTable) (b []byte) {
	for i := range m.Funcs {
		b = Uleb(b, uint64(types.add(m.Funcs[i].Type)))
	}
	return b
}

func (m *Module) globals() (b []byte) {
	for _, g := range m.Globals {
		b = append(b, byte(g.Type), 1)
		var c Code
		c.Const(g.Type, g.Init)
		b = append(append(b, c.Bytes()...), End)
	}
	return b
}

func (m *Module) exports() (b []byte) {
	for _, e := range m.Exports {
		b = append(str(b, e.Name), byte(e.Kind))
		b = Uleb(b, uint64(e.Index))
	}
	return b
}

func (m *Module) code() (b []byte) {
	for i := range m.Funcs {
		f := &m.Funcs[i]
		locals := runs(f.Locals)
		b = Uleb(b, uint64(len(locals)+len(f.Code)+1))
		b = append(append(append(b, locals...), f.Code...), End)
	}
	return b
}

// runs is the vector of locals, each run of one type written once.
func runs(locals []ValType) []byte {
	var b []byte
	n := 0
	for i := 0; i < len(locals); n++ {
		j := i
		for j < len(locals) && locals[j] == locals[i] {
			j++
		}
		b = append(Uleb(b, uint64(j-i)), byte(locals[i]))
		i = j
	}
	return append(Uleb(nil, uint64(n)), b...)
}

func (m *Module) data() (b []byte) {
	for _, d := range m.Data {
		b = append(b, 0) // active, memory 0
		var c Code
		c.I32Const(int32(d.Offset))
		b = append(append(b, c.Bytes()...), End)
		b = Uleb(b, uint64(len(d.Bytes)))
		b = append(b, d.Bytes...)
	}
	return b
}

// names is the content of the name section: the module's and the functions'.
func (m *Module) names() (b []byte) {
	if m.Name != "" {
		s := str(nil, m.Name)
		b = append(b, 0)
		b = append(Uleb(b, uint64(len(s))), s...)
	}
	n, s := 0, []byte(nil)
	for i := range m.Imports {
		s = str(Uleb(s, uint64(i)), m.Imports[i].Name)
		n++
	}
	for i := range m.Funcs {
		if name := m.Funcs[i].Name; name != "" {
			s = str(Uleb(s, uint64(len(m.Imports)+i)), name)
			n++
		}
	}
	count := Uleb(nil, uint64(n))
	b = append(b, 1)
	b = Uleb(b, uint64(len(count)+len(s)))
	return append(append(b, count...), s...)
}

func str(b []byte, s string) []byte { return append(Uleb(b, uint64(len(s))), s...) }

// Uleb appends n as unsigned LEB128.
func Uleb(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// Sleb appends n as signed LEB128.
func Sleb(b []byte, n int64) []byte {
	for {
		low := byte(n & 0x7f)
		n >>= 7
		if n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// Const appends the constant of that type with those bits.
func (c *Code) Const(t ValType, bits uint64) {
	switch t {
	case I32:
		c.I32Const(int32(bits))
	case I64:
		c.I64Const(int64(bits))
	default:
		c.F64Const(bits)
	}
}
