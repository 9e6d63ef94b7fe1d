// Package compile drives the stages: a folder of Tow in, an artifact out.
//
//	res, err := compile.Build(os.DirFS("shop"), compile.Options{Name: "shop"})
//	if err != nil { … }               // the folder could not be read
//	if res.Diags.HasErrors() { … }    // res.Artifact is nil
package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/lower"
	"towpath.dev/internal/lang/opt"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
)

// Toolchain names this compiler in artifacts.
const Toolchain = "tow 0.1.0"

// Options of a compilation. The zero Options work.
type Options struct {
	// Name is the program's name, "" for none.
	Name string
	// Plain leaves the optimiser out.
	Plain bool
	// MaxCopies is how often a function is copied for the functions given to it;
	// see lower.Options.
	MaxCopies int
	// Overlay holds the text of files that differ from the folder's, by path: an
	// editor's unsaved buffers.
	Overlay map[string][]byte
	// MaxFile bounds a file's size in bytes; 0 means 4 MiB.
	MaxFile int64
}

// defaultsGas is what the evaluation of a default may spend: one without end is
// refused within a second.
const defaultsGas = 1_000_000

// Result is what a compilation found and made.
type Result struct {
	Files   map[string]*syntax.File // the project's, by path
	Program *core.Program
	Info    *types.Info
	Diags   *diag.List // sorted

	// Of Build, when there are no errors:
	IR       *ir.Module // after optimisation
	Manifest *artifact.Manifest
	Artifact []byte
}

// stdSources are the standard library's syntax trees, parsed once: checking
// does not change them.
var stdSources = sync.OnceValue(func() []types.Source {
	var out []types.Source
	var d diag.List
	for _, f := range stdlib.Sources() {
		file := syntax.Parse(span.NewFile(f.Path+".tow", []byte(f.Text)), &d)
		out = append(out, types.Source{Path: f.Path, File: file})
	}
	if d.HasErrors() {
		panic(fmt.Sprintf("the standard library does not parse: %v", d.All[0])) // a broken build, not an input
	}
	return out
})

// Check reads, parses and checks every .tow file below the root. The error is
// that of reading; mistakes in the program are in Result.Diags.
func Check(fsys fs.FS, opts Options) (*Result, error) {
	res, _, err := check(fsys, opts)
	return res, err
}

func check(fsys fs.FS, opts Options) (*Result, []byte, error) {
	texts, err := read(fsys, opts)
	if err != nil {
		return nil, nil, err
	}
	res := &Result{Files: map[string]*syntax.File{}, Diags: &diag.List{}}
	mods := append([]types.Source(nil), stdSources()...)
	hash := sha256.New()
	for _, name := range sortedKeys(texts) {
		fmt.Fprintf(hash, "%s %d\n", name, len(texts[name]))
		hash.Write(texts[name])
		file := syntax.Parse(span.NewFile(name, texts[name]), res.Diags)
		res.Files[name] = file
		if !named(file, name, res.Diags) {
			continue
		}
		mods = append(mods, types.Source{Path: strings.TrimSuffix(name, ".tow"), File: file})
	}
	res.Program, res.Info = types.Check(mods, res.Diags)
	res.Diags.Sort()
	return res, hash.Sum(nil), nil
}

// Build checks the project and, without errors, compiles it to an artifact. The
// same sources and options give the same bytes.
func Build(fsys fs.FS, opts Options) (*Result, error) {
	res, hash, err := check(fsys, opts)
	if err != nil || res.Diags.HasErrors() {
		return res, err
	}
	return res, res.build(opts, hash)
}

func (res *Result) build(opts Options, hash []byte) error {
	oracle := interp.New(res.Program, interp.Options{Gas: defaultsGas})
	module, man, err := lower.Program(res.Program, lower.Options{
		Name: opts.Name, MaxCopies: opts.MaxCopies,
		JSON: func(e core.Expr) (string, error) {
			v, err := oracle.Eval(e, oracle.NewEnv())
			if err != nil {
				return "", err
			}
			text, err := oracle.AppendJSON(nil, e.TypeOf(), v)
			return string(text), err
		},
	})
	if bound, ok := err.(*lower.Error); ok {
		res.Diags.Errorf(codeBound, bound.At, "%s", bound.Message)
		return nil
	} else if err != nil {
		return err
	}
	if !opts.Plain {
		opt.Module(module, opt.Full)
	}
	man.Toolchain = Toolchain
	man.SourceHash = hex.EncodeToString(hash)
	man.Sites = append(man.Sites, inlined(module, man.Sites)...)
	wasm, err := emit.Module(module)
	if err != nil {
		return fmt.Errorf("emitting WebAssembly: %w", err)
	}
	data, err := artifact.Encode(wasm, man)
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	res.IR, res.Manifest, res.Artifact = module, man, data
	return nil
}

// inlined are the sites of code that was put in the place of calls.
func inlined(m *ir.Module, sites []artifact.Site) []artifact.Site {
	all := sites[:len(sites):len(sites)]
	for _, in := range m.Inlined {
		s := all[in.Site]
		call := all[in.Call]
		s.Through = append(append(append([]int32(nil), s.Through...), in.Call), call.Through...)
		all = append(all, s)
	}
	return all[len(sites):]
}

// read collects the project's sources. Hidden folders and those that begin
// with an underscore are left out.
func read(fsys fs.FS, opts Options) (map[string][]byte, error) {
	limit := opts.MaxFile
	if limit == 0 {
		limit = 4 << 20
	}
	texts := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() || path.Ext(name) != ".tow" {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.Size() > limit {
			return fmt.Errorf("%s has %d bytes, more than the %d that a source file may have; split it into modules", name, info.Size(), limit)
		}
		text, err := fs.ReadFile(fsys, name)
		texts[name] = text
		return err
	})
	for name, text := range opts.Overlay {
		texts[name] = text
	}
	return texts, err
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
