package lsp

import (
	"embed"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
	"towpath.dev/internal/project"
)

// document is a file that is open in the editor.
type document struct {
	uri  string
	text []byte
	file string // within the workspace, slash-separated
	work *workspace
}

// workspace is a project, or a lone file without one.
type workspace struct {
	root      string // the folder
	lone      bool   // there is no tow.toml: the documents are all
	changed   bool   // since it was last checked
	documents []*document
	result    *compile.Result
	published []string // URIs that show diagnostics
}

// workspaceOf finds or makes the workspace of a path and the path within it.
func (s *server) workspaceOf(path string) (*workspace, string) {
	dir := filepath.Dir(path)
	root, lone := dir, true
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, project.File)); err == nil {
			root, lone = up, false
			break
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	key := root
	if lone {
		key = path
	}
	w := s.workspaces[key]
	if w == nil {
		w = &workspace{root: root, lone: lone}
		s.workspaces[key] = w
	}
	file, err := filepath.Rel(root, path)
	if err != nil {
		file = filepath.Base(path)
	}
	return w, filepath.ToSlash(file)
}

func (s *server) didOpen(p didOpenParams) (any, error) {
	path := pathOf(p.TextDocument.URI)
	if path == "" {
		return nil, nil // the standard library's, or not a file
	}
	s.forget(p.TextDocument.URI)
	d := &document{uri: p.TextDocument.URI, text: []byte(p.TextDocument.Text)}
	d.work, d.file = s.workspaceOf(path)
	d.work.documents = append(d.work.documents, d)
	d.work.changed = true
	s.documents[d.uri] = d
	return nil, nil
}

func (s *server) didChange(p didChangeParams) (any, error) {
	if d := s.documents[p.TextDocument.URI]; d != nil && len(p.ContentChanges) > 0 {
		d.text = []byte(p.ContentChanges[len(p.ContentChanges)-1].Text)
		d.work.changed = true
	}
	return nil, nil
}

func (s *server) didClose(p documentParams) (any, error) {
	s.forget(p.TextDocument.URI)
	return nil, nil
}

// forget lets the disk's text count again.
func (s *server) forget(uri string) {
	d := s.documents[uri]
	if d == nil {
		return
	}
	delete(s.documents, uri)
	d.work.documents = slices.DeleteFunc(d.work.documents, func(o *document) bool { return o == d })
	d.work.changed = true
}

func (s *server) didSave(p documentParams) (any, error) {
	if d := s.documents[p.TextDocument.URI]; d != nil {
		d.work.changed = true
	}
	return nil, nil
}

// didChangeFiles hears that files changed on the disk.
func (s *server) didChangeFiles(struct{}) (any, error) {
	for _, w := range s.workspaces {
		w.changed = true
	}
	return nil, nil
}

// check checks a workspace if it has changed.
func (w *workspace) check() error {
	if !w.changed && w.result != nil {
		return nil
	}
	res, err := w.checkWith("", nil)
	if err != nil {
		return err
	}
	w.result, w.changed = res, false
	return nil
}

// checkWith checks the workspace as it would be if a file had another text;
// file "" changes nothing.
func (w *workspace) checkWith(file string, text []byte) (*compile.Result, error) {
	opts := compile.Options{Overlay: map[string][]byte{}}
	for _, d := range w.documents {
		if strings.HasSuffix(d.file, ".tow") {
			opts.Overlay[d.file] = d.text
		}
	}
	if file != "" {
		opts.Overlay[file] = text
	}
	files := os.DirFS(w.root)
	if w.lone {
		files = embed.FS{} // which is empty
	}
	return compile.Check(files, opts)
}

// publish checks what has changed and tells the editor what is wrong in it.
func (s *server) publish() error {
	for _, w := range s.workspaces {
		if !w.changed && w.result != nil {
			continue
		}
		if err := w.check(); err != nil {
			w.changed = false // until something changes again
			w.result = nil
			if err := s.notify("window/showMessage", map[string]any{"type": severityError, "message": "tow: " + err.Error()}); err != nil {
				return err
			}
			continue
		}
		if err := s.publishOf(w); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) publishOf(w *workspace) error {
	byURI := map[string][]diagnostic{}
	var uris []string
	for _, d := range w.diagnostics() {
		uri := w.uri(d.At)
		if _, ok := byURI[uri]; !ok {
			uris = append(uris, uri)
		}
		byURI[uri] = append(byURI[uri], w.toDiagnostic(d))
	}
	for _, uri := range w.published {
		if _, still := byURI[uri]; !still {
			if err := s.notify("textDocument/publishDiagnostics", publishParams{uri, []diagnostic{}}); err != nil {
				return err
			}
		}
	}
	for _, uri := range uris {
		if err := s.notify("textDocument/publishDiagnostics", publishParams{uri, byURI[uri]}); err != nil {
			return err
		}
	}
	w.published = uris
	return nil
}

// diagnostics are those of the sources and of the tow.toml.
func (w *workspace) diagnostics() []*diag.Diagnostic {
	all := w.result.Diags.All
	if w.lone {
		return all
	}
	if _, err := project.Load(w.root); err != nil {
		if invalid, ok := err.(*project.Invalid); ok {
			return append(slices.Clone(invalid.Diags), all...)
		}
	}
	return all
}

// uri is the document of a place.
func (w *workspace) uri(at span.Span) string {
	path := project.File
	if at.IsValid() {
		path = at.File.Path
	}
	for _, d := range w.documents {
		if d.file == path {
			return d.uri // as the editor spells it
		}
	}
	return uriOf(filepath.Join(w.root, filepath.FromSlash(path)))
}

// toDiagnostic writes a diagnostic as an editor shows it.
func (w *workspace) toDiagnostic(d *diag.Diagnostic) diagnostic {
	out := diagnostic{Range: rangeOf(d.At), Severity: severityError, Code: string(d.Code), Source: "tow"}
	if d.Severity == diag.Warning {
		out.Severity = severityWarning
	}
	if d.Code == "TW0901" || d.Code == "TW0902" || d.Code == "TW0903" {
		out.Tags = []int{tagUnnecessary}
	}
	lines := []string{d.Message}
	switch {
	case d.Expected != "" && d.Found != "":
		lines = append(lines, "expected "+d.Expected+", found "+d.Found)
	case d.Expected != "":
		lines = append(lines, "expected "+d.Expected)
	case d.Found != "":
		lines = append(lines, "found "+d.Found)
	}
	for _, n := range d.Notes {
		if n.At.IsValid() && !isStdFile(n.At.File) {
			out.RelatedInformation = append(out.RelatedInformation, relatedMessage{location{w.uri(n.At), rangeOf(n.At)}, n.Text})
			continue
		}
		lines = append(lines, n.Text)
	}
	out.Message = strings.Join(lines, "\n")
	return out
}

// view is a document with what is known of it.
type view struct {
	*workspace
	result *compile.Result // the workspace's, or one with a text tried out
	doc    *document
	syntax *syntax.File
	file   *span.File
	info   *types.ModuleInfo
}

// errNotOpen refuses requests about documents that are not open.
var errNotOpen = &responseError{Code: invalidParams, Message: "the document is not open, or no Tow source"}

// view checks a document's workspace.
func (s *server) view(uri string) (*view, error) {
	d := s.documents[uri]
	if d == nil {
		return nil, errNotOpen
	}
	if err := d.work.check(); err != nil {
		return nil, err
	}
	return viewOf(d, d.work.result)
}

func viewOf(d *document, res *compile.Result) (*view, error) {
	tree := res.Files[d.file]
	if tree == nil {
		return nil, errNotOpen
	}
	v := &view{workspace: d.work, result: res, doc: d, syntax: tree, file: tree.Source, info: res.Info.Module(tree.Source)}
	if v.info == nil {
		return nil, errNotOpen
	}
	return v, nil
}

func isStdFile(f *span.File) bool { return strings.HasPrefix(f.Path, "std/") }
