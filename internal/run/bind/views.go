package bind

import "towpath.dev/internal/artifact"

// View is a view of another program that answers an operation.
type View struct {
	Program string
	View    string // "quotes.price", or "price"
}

// Views are the views of other programs that answer operations of a program, by the
// operations' qualified names. What is wrong with their settings is Bind's to say.
func (e *Environment) Views(m *artifact.Manifest) map[string]View {
	views := map[string]View{}
	names := serviceNames(m)
	for i := range m.Operations {
		op := &m.Operations[i]
		_, s := e.find(op, names)
		if s == nil {
			continue
		}
		from := e.sources[s.table.Text("source", "")]
		if from.Text("type", "") != "view" {
			continue
		}
		views[op.QualifiedName()] = View{Program: from.Text("program", ""), View: s.operations[op.Name].Text("view", op.Name)}
	}
	return views
}
