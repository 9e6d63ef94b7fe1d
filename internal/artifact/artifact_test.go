package artifact

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
)

func example() *Manifest {
	return &Manifest{
		ABI: abi.Version, Program: "market", Toolchain: "tow 0.1", SourceHash: "ab", HeapBase: 2048, Pages: 4,
		Schema: abi.Schema{Types: []abi.Type{
			{Kind: abi.Int, Name: "Int"},
			{Kind: abi.Record, Name: "Input", Fields: []abi.Field{{Name: "n", Type: 0, Offset: 0}, {Name: "xs", Type: 2, Offset: 8}}, Size: 16},
			{Kind: abi.List, Name: "List<Int?>", Elem: 3},
			{Kind: abi.Option, Name: "Int?", Elem: 4},
			{Kind: abi.Wrapper, Name: "Id", Elem: 0},
			{Kind: abi.Variant, Name: "Node", Ctors: []abi.Ctor{
				{Name: "Tip", Static: 1024},
				{Name: "Bin", Size: 32, Fields: []abi.Field{{Type: 0, Offset: 8}, {Type: 0, Offset: 16}, {Type: 5, Offset: 4}, {Type: 5, Offset: 24}}},
			}},
			{Kind: abi.Set, Name: "Set<Int>", Elem: 0, Node: 5},
		}},
		Views:      []View{{Module: "shop", Name: "price", Export: "view:shop.price", Input: 1, Result: 3, Callings: []Calling{{Operation: 0, Need: "required"}}}},
		Operations: []Operation{{Module: "shop", Service: "Catalog", Name: "offers", Args: 1, Result: 2}},
		Files:      []string{"shop.tow"},
		Sites:      []Site{{Kind: abi.Overflow, Func: "shop.price", Place: Place{0, 3, 4}}},
		Scopes:     []Scope{{Site: 1 << 63, Optional: true}},
	}
}

const empty = magic

func TestRoundTrip(t *testing.T) {
	want := example()
	first, err := Encode([]byte(empty), want)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Encode([]byte(empty), example())
	if err != nil || !bytes.Equal(first, second) {
		t.Fatal("equal manifests, different bytes", err)
	}
	if !bytes.Contains(first, []byte("List<Int?>")) {
		t.Error("names are escaped")
	}
	got, err := Decode(first)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if _, err := Encode(first, want); err == nil || !strings.Contains(err.Error(), "holds a manifest already") {
		t.Error("a second manifest was written:", err)
	}
}

// custom is a custom section whose name and content have those lengths.
func custom(name, content string) string {
	return string([]byte{0, byte(1 + len(name) + len(content)), byte(len(name))}) + name + content
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name, data string
		is         error
		want       string
	}{
		{"nothing", "", ErrNotWasm, ""},
		{"text", "hello, world", ErrNotWasm, ""},
		{"no sections", empty, ErrNoManifest, ""},
		{"other sections", empty + custom("name", "x") + "\x01\x01\x00", ErrNoManifest, ""},
		{"section cut short", empty + "\x01\x05\x00", ErrNotWasm, "at byte 8 is cut short"},
		{"no size", empty + "\x01", ErrNotWasm, "cut short"},
		{"huge size", empty + "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ErrNotWasm, "cut short"},
		{"long size", empty + "\x01\x80\x80\x80\x80\x80\x00", ErrNotWasm, "cut short"},
		{"nameless custom section", empty + "\x00\x01\x07", ErrNotWasm, "has no name"},
		{"no JSON", empty + custom(Section, "{"), nil, "cannot be read"},
		{"another ABI", empty + custom(Section, `{"abi":99}`), ErrABI, "version 99 of the memory contract"},
		{"two manifests", empty + custom(Section, `{"abi":1}`) + custom(Section, `{"abi":1}`), nil, "a second manifest at byte 32"},
		{"wrong shape", empty + custom(Section, `{"abi":1,"views":3}`), nil, "cannot be read"},
		{"bad view", empty + custom(Section, `{"abi":1,"views":[{"module":"m","name":"v","input":7}]}`), nil, "view m.v: input: there is no type 7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.data))
			if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		damage func(m *Manifest)
		want   string
	}{
		{"type", func(m *Manifest) { m.Schema.Types[2].Elem = 7 }, "type 2 (List<Int?>): element: there is no type 7"},
		{"negative type", func(m *Manifest) { m.Views[0].Result = -1 }, "result: there is no type -1"},
		{"kind", func(m *Manifest) { m.Schema.Types[0].Kind = 99 }, "there is no kind 99"},
		{"field outside", func(m *Manifest) { m.Schema.Types[1].Fields[1].Offset = 16 }, "the field xs lies outside"},
		{"field half outside", func(m *Manifest) { m.Schema.Types[1].Size = 12 }, "the field xs of 8 bytes does not fit at 8 of 12"},
		{"field not aligned", func(m *Manifest) { m.Schema.Types[1].Fields[0].Offset = 4 }, "does not fit at 4"},
		{"static cell", func(m *Manifest) { m.Schema.Types[5].Ctors[0].Static = 4 << 16 }, "the cell of Tip lies outside"},
		{"tree", func(m *Manifest) { m.Schema.Types[6].Node = 1 }, "the type 1 is no node"},
		{"input", func(m *Manifest) { m.Views[0].Input = 0 }, "the type 0 is no record"},
		{"operation", func(m *Manifest) { m.Views[0].Callings[0].Operation = 1 }, "there is no operation 1"},
		{"file", func(m *Manifest) { m.Sites[0].File = 1 }, "site 0: there is no file 1"},
		{"pages", func(m *Manifest) { m.Pages = 1 << 20 }, "more than addresses reach"},
		{"heap", func(m *Manifest) { m.HeapBase = 4<<16 + 8 }, "behind the memory's end"},
		{"wrappers", func(m *Manifest) { m.Schema.Types[4].Elem = 4 }, "wrap each other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := example()
			test.damage(m)
			if err := m.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := Encode([]byte(empty), example())
	f.Add(good)
	f.Add([]byte(empty + custom(Section, `{"abi":1}`)))
	f.Add([]byte(empty + "\x00\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			return
		}
		for i := range m.Schema.Types { // what Decode passes can be followed
			m.Schema.Val(abi.TypeID(i))
			if m.Schema.Types[i].Kind == abi.Option {
				m.Schema.OptionForm(abi.TypeID(i))
			}
		}
	})
}
