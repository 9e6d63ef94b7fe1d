package lsp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/types"
)

func (s *server) hover(p placeParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	offset := offsetOf(v.file, p.Position)
	if def, at := v.info.DefinitionAt(offset); def != nil {
		if d, ok := describe(def); ok {
			return hoverResult{markup{"markdown", d.markdown()}, rangeOf(at)}, nil
		}
	}
	if t, at := v.info.TypeAt(offset); t != nil {
		return hoverResult{markup{"markdown", "```tow\n" + typeText(t) + "\n```\n"}, rangeOf(at)}, nil
	}
	return nil, nil
}

// stdScheme begins the URIs of the standard library's sources.
const stdScheme = "tow-std:"

func (s *server) definition(p placeParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	def, _ := v.info.DefinitionAt(offsetOf(v.file, p.Position))
	place := types.PlaceOf(def)
	if !place.IsValid() {
		return nil, nil
	}
	at := location{v.uri(place), rangeOf(place)}
	if isStdFile(place.File) {
		if !s.showsStd {
			return nil, nil
		}
		at.URI = stdScheme + "/" + place.File.Path
	}
	return at, nil
}

// source answers with a source of the standard library.
func (s *server) source(p documentID) (any, error) {
	path := strings.TrimSuffix(strings.TrimPrefix(p.URI, stdScheme+"/"), ".tow")
	for _, f := range stdlib.Sources() {
		if f.Path == path {
			return f.Text, nil
		}
	}
	return nil, &responseError{Code: invalidParams, Message: fmt.Sprintf("the standard library has no module %q", path)}
}

// uses lists every place that names a definition of the project, its own first.
func (v *view) uses(def any) []span.Span {
	var out []span.Span
	if at := types.PlaceOf(def); at.IsValid() && !isStdFile(at.File) {
		out = append(out, at)
	}
	for _, at := range v.result.Info.Uses(def) {
		if !isStdFile(at.File) && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

func (s *server) references(p referenceParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	out := []location{}
	def, _ := v.info.DefinitionAt(offsetOf(v.file, p.Position))
	if def == nil {
		return out, nil
	}
	declared := types.PlaceOf(def)
	for _, at := range v.uses(def) {
		if at != declared || p.Context.IncludeDeclaration {
			out = append(out, location{v.uri(at), rangeOf(at)})
		}
	}
	return out, nil
}

// renamed finds what a rename would change.
func (s *server) renamed(p placeParams) (*view, any, span.Span, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, nil, span.Span{}, err
	}
	def, at := v.info.DefinitionAt(offsetOf(v.file, p.Position))
	refuse := func(why string) error { return &responseError{Code: requestFailed, Message: why} }
	declared := types.PlaceOf(def)
	switch def.(type) {
	case nil:
		return nil, nil, at, refuse("there is no name here")
	case *core.Module:
		return nil, nil, at, refuse("a module is renamed by renaming its file")
	}
	switch {
	case !declared.IsValid():
		return nil, nil, at, refuse("this name cannot be changed")
	case isStdFile(declared.File):
		return nil, nil, at, refuse("this name belongs to the standard library")
	}
	return v, def, at, nil
}

func (s *server) prepareRename(p placeParams) (any, error) {
	_, _, at, err := s.renamed(p)
	if err != nil {
		return nil, err
	}
	return prepareRenameResult{rangeOf(at), at.Text()}, nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func (s *server) rename(p renameParams) (any, error) {
	v, def, at, err := s.renamed(p.placeParams)
	if err != nil {
		return nil, err
	}
	old := types.PlaceOf(def).Text()
	if upper(p.NewName) != upper(old) || !nameForm.MatchString(p.NewName) {
		kind := "small"
		if upper(old) {
			kind = "capital"
		}
		return nil, &responseError{Code: requestFailed, Message: fmt.Sprintf("%q is no name for it: it begins with a %s letter, and goes on with letters, digits and _", p.NewName, kind)}
	}
	if v.result.Diags.HasErrors() {
		return nil, &responseError{Code: requestFailed, Message: "the project has mistakes, so that not every use of " + at.Text() + " may be known; mend them first"}
	}
	edit := workspaceEdit{Changes: map[string][]textEdit{}}
	for _, use := range v.uses(def) {
		text := p.NewName
		switch {
		case use.Text() != old:
			continue // by another name: `import a.{b as c}`
		case v.isShorthand(use):
			text = old + ": " + p.NewName
			if _, isField := def.(*core.Field); isField {
				text = p.NewName + ": " + old
			}
		}
		uri := v.uri(use)
		edit.Changes[uri] = append(edit.Changes[uri], textEdit{rangeOf(use), text})
	}
	return edit, nil
}

func upper(name string) bool { return name != "" && name[0] >= 'A' && name[0] <= 'Z' }

// isShorthand reports whether a use is `name` for `name: name` in a record or a
// pattern: a field and a local share it.
func (v *view) isShorthand(use span.Span) bool {
	info := v.result.Info.Module(use.File)
	if info == nil {
		return false
	}
	isField := slices.ContainsFunc(info.AllUses(), func(u types.Use) bool {
		_, ok := u.Def.(*core.Field)
		return ok && u.Start == use.Start && u.End == use.End
	})
	before := strings.TrimRight(string(use.File.Text[:use.Start]), " \t\r\n")
	after := strings.TrimLeft(string(use.File.Text[use.End:]), " \t\r\n")
	return isField && !strings.HasSuffix(before, ".") && !strings.HasPrefix(after, ":")
}

func (s *server) formatting(p documentParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	text, problems := format.Source(span.NewFile(v.doc.file, v.doc.text))
	if problems.HasErrors() {
		return nil, &responseError{Code: requestFailed, Message: "a document with syntax errors cannot be formatted"}
	}
	if string(text) == string(v.doc.text) {
		return []textEdit{}, nil
	}
	return []textEdit{{rangeOf(v.file.Span(0, len(v.file.Text))), string(text)}}, nil
}

// codeActions offers the fixes that diagnostics come with.
func (s *server) codeActions(p codeActionParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	start, end := offsetOf(v.file, p.Range.Start), offsetOf(v.file, p.Range.End)
	out := []codeAction{}
	for _, d := range v.result.Diags.All {
		if d.Fix == nil || d.At.File != v.file || d.At.Start > end || start > d.At.End || !fixable(d) {
			continue
		}
		action := codeAction{Title: capital(d.Fix.Title), Kind: quickFix, Diagnostics: []diagnostic{v.toDiagnostic(d)}, IsPreferred: true,
			Edit: workspaceEdit{Changes: map[string][]textEdit{}}}
		for _, e := range d.Fix.Edits {
			uri := v.uri(e.At)
			action.Edit.Changes[uri] = append(action.Edit.Changes[uri], textEdit{rangeOf(e.At), e.New})
		}
		out = append(out, action)
	}
	return out, nil
}

// fixable reports whether all edits of a fix have a place in the project.
func fixable(d *diag.Diagnostic) bool {
	for _, e := range d.Fix.Edits {
		if !e.At.IsValid() || isStdFile(e.At.File) {
			return false
		}
	}
	return len(d.Fix.Edits) > 0
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
