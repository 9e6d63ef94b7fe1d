// tow inspect: what an artifact holds.

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/jsonschema"
)

func inspectCommand(u *ui) *cobra.Command {
	var asJSON bool
	var view string
	c := &cobra.Command{
		Use:   "inspect ARTIFACT",
		Short: "Show what an artifact holds",
		Long: `Show what a file made by "tow build" holds: its views with the operations that
they may call, how much each call matters, its types and its sizes.

  required   without its answer the view fails
  guarded    an "else" stands in for its answer
  optional   moreover it may be left out under overload

With --schema VIEW print the JSON Schemas of the view's input and answer.`,
		Example: "  tow inspect shop.tow.wasm\n  tow inspect --json shop.tow.wasm | jq .views\n  tow inspect --schema shipping.quote shop.tow.wasm",
		Args:    exactly("an artifact that \"tow build\" made"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			m, err := artifact.Decode(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			i := &inspection{ui: u, m: m, size: len(data)}
			switch {
			case view != "":
				return i.schema(view)
			case asJSON:
				return i.json()
			}
			i.text(args[0])
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print it as one JSON object")
	c.Flags().StringVar(&view, "schema", "", "print the JSON Schemas of the `VIEW`")
	return c
}

// inspection is an artifact under inspection.
type inspection struct {
	*ui
	m    *artifact.Manifest
	size int
}

type artifactRecord struct {
	Program    string            `json:"program"`
	Toolchain  string            `json:"toolchain"`
	ABI        int               `json:"abi"`
	SourceHash string            `json:"sourceHash"`
	Bytes      int               `json:"bytes"`
	Memory     int               `json:"memoryBytes"`
	Static     int               `json:"staticBytes"`
	Views      []viewRecord      `json:"views"`
	Operations []operationRecord `json:"operations"`
	Types      []typeRecord      `json:"types"`
}

type parameterRecord struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	Default json.RawMessage `json:"default,omitempty"`
}

type viewRecord struct {
	Name       string            `json:"name"`
	Doc        string            `json:"doc,omitempty"`
	Parameters []parameterRecord `json:"parameters"`
	Result     string            `json:"result"`
	Within     string            `json:"within,omitempty"`
	Required   []string          `json:"required"`
	Guarded    []string          `json:"guarded"`
	Optional   []string          `json:"optional"`
	File       string            `json:"file"`
	Line       int               `json:"line"`
}

type operationRecord struct {
	Name       string            `json:"name"`
	Doc        string            `json:"doc,omitempty"`
	Parameters []parameterRecord `json:"parameters"`
	Result     string            `json:"result"`
	Batch      int               `json:"batch,omitempty"`
	Within     string            `json:"within,omitempty"`
	Cache      string            `json:"cache,omitempty"`
	Shared     bool              `json:"shared,omitempty"`
	Idempotent bool              `json:"idempotent,omitempty"`
}

type typeRecord struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Form string `json:"form"` // what stands behind the name in Tow
	Doc  string `json:"doc,omitempty"`
}

func (i *inspection) record() *artifactRecord {
	m := i.m
	out := &artifactRecord{
		Program: m.Program, Toolchain: m.Toolchain, ABI: m.ABI, SourceHash: m.SourceHash, Bytes: i.size,
		Memory: int(m.Pages) * abi.PageSize, Static: int(m.HeapBase) - abi.StaticBase,
		Views: []viewRecord{}, Operations: []operationRecord{}, Types: []typeRecord{},
	}
	for n := range m.Views {
		out.Views = append(out.Views, i.view(&m.Views[n]))
	}
	for n := range m.Operations {
		op := &m.Operations[n]
		out.Operations = append(out.Operations, operationRecord{
			Name: op.QualifiedName(), Doc: op.Doc, Parameters: i.parameters(op.Args), Result: i.typeName(op.Result),
			Batch: op.Batch, Within: durationText(op.WithinNS), Cache: durationText(op.CacheNS), Shared: op.Shared, Idempotent: op.Idempotent,
		})
	}
	for n := range m.Schema.Types {
		t := &m.Schema.Types[n]
		switch t.Kind {
		case abi.Record, abi.Variant, abi.Enum, abi.Wrapper:
			if t.Module != "" && !strings.HasPrefix(t.Module, "std/") {
				out.Types = append(out.Types, typeRecord{t.Module + "." + t.Name, strings.ToLower(t.Kind.String()), i.form(t), t.Doc})
			}
		}
	}
	return out
}

func (i *inspection) view(v *artifact.View) viewRecord {
	r := viewRecord{Name: v.QualifiedName(), Doc: v.Doc, Parameters: i.parameters(v.Input), Result: i.typeName(v.Result),
		Within: durationText(v.WithinNS), Required: []string{}, Guarded: []string{}, Optional: []string{}, Line: v.Place.Line}
	if v.Place.File < len(i.m.Files) {
		r.File = i.m.Files[v.Place.File]
	}
	for _, c := range v.Callings {
		name := i.m.Operations[c.Operation].QualifiedName()
		switch c.Need {
		case "required":
			r.Required = append(r.Required, name)
		case "guarded":
			r.Guarded = append(r.Guarded, name)
		default:
			r.Optional = append(r.Optional, name)
		}
	}
	return r
}

func (i *inspection) parameters(id abi.TypeID) []parameterRecord {
	out := []parameterRecord{}
	for _, f := range i.m.Schema.Types[id].Fields {
		p := parameterRecord{Name: f.Name, Type: i.typeName(f.Type)}
		if f.Default != "" {
			p.Default = json.RawMessage(f.Default)
		}
		out = append(out, p)
	}
	return out
}

func (i *inspection) typeName(id abi.TypeID) string {
	t := &i.m.Schema.Types[id]
	return or(t.Name, t.Kind.String())
}

// form is what stands behind a type's name where it is declared.
func (i *inspection) form(t *abi.Type) string {
	fields := func(fs []abi.Field) string {
		parts := make([]string, len(fs))
		for n, f := range fs {
			parts[n] = i.typeName(f.Type)
			if f.Name != "" {
				parts[n] = f.Name + ": " + parts[n]
			}
		}
		return strings.Join(parts, ", ")
	}
	switch t.Kind {
	case abi.Wrapper:
		return "(" + i.typeName(t.Elem) + ")"
	case abi.Record:
		return "{ " + fields(t.Fields) + " }"
	}
	alternatives := make([]string, len(t.Ctors))
	for n, c := range t.Ctors {
		alternatives[n] = c.Name
		if len(c.Fields) > 0 {
			alternatives[n] += "(" + fields(c.Fields) + ")"
		}
	}
	return "= " + strings.Join(alternatives, " | ")
}

// durationText is a duration, "" for none.
func durationText(ns int64) string {
	if ns == 0 {
		return ""
	}
	return strings.NewReplacer("m0s", "m", "h0m", "h").Replace(time.Duration(ns).String())
}

func (i *inspection) json() error { return i.encode(i.record()) }

func (i *inspection) encode(v any) error {
	e := json.NewEncoder(i.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// schema prints the schemas of a view.
func (i *inspection) schema(name string) error {
	v, err := findView(i.m, name)
	if err != nil {
		return err
	}
	return i.encode(map[string]any{
		"view":   v.QualifiedName(),
		"input":  jsonschema.Of(&i.m.Schema, v.Input),
		"answer": jsonschema.Of(&i.m.Schema, v.Result),
	})
}

func (i *inspection) text(file string) {
	r := i.record()
	fmt.Fprintf(i.out, "%s: %s, %s\n", paint(i.outColor, bold, file), or(r.Program, "a program without a name"), size(r.Bytes))
	hash := r.SourceHash
	if len(hash) > 16 {
		hash = hash[:16]
	}
	fmt.Fprintf(i.out, "Built by %s from sources %s; contract %d. Memory of a request: %s, %s of them constants.\n",
		r.Toolchain, hash, r.ABI, size(r.Memory), size(r.Static))
	i.heading("Views", len(r.Views))
	for _, v := range r.Views {
		fmt.Fprintf(i.out, "  %s%s%s\n", paint(i.outColor, bold, v.Name), signature(v.Parameters, v.Result), clause(" within ", v.Within))
		i.doc(v.Doc)
		i.calls("required", v.Required)
		i.calls("guarded", v.Guarded)
		i.calls("optional", v.Optional)
		if len(v.Required)+len(v.Guarded)+len(v.Optional) == 0 {
			fmt.Fprintln(i.out, "      calls nothing")
		}
	}
	i.heading("Operations", len(r.Operations))
	for _, op := range r.Operations {
		text := signature(op.Parameters, op.Result)
		if op.Batch > 0 {
			text += fmt.Sprintf(" batch %d", op.Batch)
		}
		text += clause(" within ", op.Within) + clause(" cache ", op.Cache)
		switch {
		case op.Cache != "" && op.Shared:
			text += " shared"
		case op.Cache != "":
			text += " per caller"
		}
		if op.Idempotent {
			text += " idempotent"
		}
		fmt.Fprintf(i.out, "  %s%s\n", paint(i.outColor, bold, op.Name), text)
		i.doc(op.Doc)
	}
	i.heading("Types", len(r.Types))
	for _, t := range r.Types {
		space := " "
		if strings.HasPrefix(t.Form, "(") {
			space = ""
		}
		fmt.Fprintf(i.out, "  %s%s%s\n", paint(i.outColor, bold, t.Name), space, t.Form)
	}
}

func (i *inspection) heading(what string, n int) {
	if n > 0 {
		fmt.Fprintf(i.out, "\n%s\n\n", what)
	}
}

// doc prints a documentation's first paragraph.
func (i *inspection) doc(text string) {
	first, _, _ := strings.Cut(text, "\n\n")
	if first = strings.Join(strings.Fields(first), " "); first != "" {
		fmt.Fprintf(i.out, "      %s\n", paint(i.outColor, dim, first))
	}
}

func (i *inspection) calls(need string, names []string) {
	for _, name := range names {
		fmt.Fprintf(i.out, "      %s  %s\n", need, name)
	}
}

func signature(parameters []parameterRecord, result string) string {
	parts := make([]string, len(parameters))
	for n, p := range parameters {
		parts[n] = p.Name + ": " + p.Type
		if p.Default != nil {
			parts[n] += " = " + string(p.Default)
		}
	}
	return "(" + strings.Join(parts, ", ") + ") -> " + result
}

func clause(word, value string) string {
	if value == "" {
		return ""
	}
	return word + value
}
