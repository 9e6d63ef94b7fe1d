package artifact

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
)

// magic is how a WebAssembly module of version 1 begins.
const magic = "\x00asm\x01\x00\x00\x00"

var (
	// ErrNotWasm says that the bytes are no WebAssembly module, or a damaged one.
	ErrNotWasm = errors.New("not a WebAssembly module")
	// ErrNoManifest says that a module was not built by tow.
	ErrNoManifest = errors.New("the module holds no Tow manifest: build it with \"tow build\"")
	// ErrABI says that a module was built for hosts of another kind than this.
	ErrABI = errors.New("built by a tow that this one cannot serve: build the program again with this version")
)

// Encode puts the manifest into a WebAssembly module that has none, as a custom
// section behind all others. Equal inputs give equal bytes.
func Encode(wasm []byte, m *Manifest) ([]byte, error) {
	switch _, err := find(wasm); {
	case err == nil:
		return nil, errors.New("artifact: the module holds a manifest already")
	case !errors.Is(err, ErrNoManifest):
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("artifact: %w", err)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // "List<Offer>" stays what it is
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("artifact: %w", err)
	}
	content := bytes.TrimRight(text.Bytes(), "\n")
	out := make([]byte, 0, len(wasm)+len(content)+len(Section)+16)
	out = append(append(out, wasm...), 0)
	name := append(binary.AppendUvarint(nil, uint64(len(Section))), Section...)
	out = binary.AppendUvarint(out, uint64(len(name)+len(content)))
	return append(append(out, name...), content...), nil
}

// Decode reads the manifest out of a module. The bytes may come from anywhere:
// every number in the manifest that Decode answers is in range (see Validate).
// It looks at no other section; the engine that compiles the module does.
// Errors wrap ErrNotWasm, ErrNoManifest or ErrABI where one of them says it.
func Decode(data []byte) (*Manifest, error) {
	content, err := find(data)
	if err != nil {
		return nil, err
	}
	var head struct {
		ABI int `json:"abi"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return nil, fmt.Errorf("artifact: the manifest cannot be read: %w", err)
	}
	if head.ABI != abi.Version {
		return nil, fmt.Errorf("artifact: version %d of the memory contract, not %d: %w", head.ABI, abi.Version, ErrABI)
	}
	m := new(Manifest)
	if err := json.Unmarshal(content, m); err != nil {
		return nil, fmt.Errorf("artifact: the manifest cannot be read: %w", err)
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("artifact: the manifest is damaged: %w", err)
	}
	return m, nil
}

// find is the content of the manifest's section.
func find(data []byte) (content []byte, err error) {
	if !bytes.HasPrefix(data, []byte(magic)) {
		return nil, fmt.Errorf("artifact: %w", ErrNotWasm)
	}
	found := false
	for rest := data[len(magic):]; len(rest) > 0; {
		at := len(data) - len(rest)
		id := rest[0]
		body, after, ok := sized(rest[1:])
		if !ok {
			return nil, fmt.Errorf("artifact: the section at byte %d is cut short: %w", at, ErrNotWasm)
		}
		rest = after
		if id != 0 {
			continue
		}
		name, body, ok := sized(body)
		if !ok {
			return nil, fmt.Errorf("artifact: the custom section at byte %d has no name: %w", at, ErrNotWasm)
		}
		if string(name) != Section {
			continue
		}
		if found {
			return nil, fmt.Errorf("artifact: a second manifest at byte %d", at)
		}
		content, found = body, true
	}
	if !found {
		return nil, fmt.Errorf("artifact: %w", ErrNoManifest)
	}
	return content, nil
}

// sized splits off a length in LEB128 and as many bytes.
func sized(b []byte) (body, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || width > 5 || n > uint64(len(b)-width) {
		return nil, nil, false
	}
	return b[width : width+int(n)], b[width+int(n):], true
}
