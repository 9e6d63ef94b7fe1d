package progen

import (
	"sort"
	"strings"

	"towpath.dev/internal/lang/core"
)

// Program is a generated project.
type Program struct {
	Seed  uint64 // that it was generated from
	Gas   int64  // the limits that it is to be run with
	Depth int

	modules []*module
}

// module is a file under construction.
type module struct {
	core    *core.Module
	decls   []*node
	members map[*core.Module]bool // the modules imported by member, not by name
	alias   string                // what the others are called here; "" for their own names
}

// Files is the text of every module by its path.
func (p *Program) Files() map[string]string {
	files := map[string]string{}
	for _, m := range p.modules {
		files[m.core.Path+".tow"] = m.text()
	}
	return files
}

func (m *module) text() string {
	p := &printer{module: m.core, members: m.members, alias: m.alias, used: map[*core.Module]map[string]bool{}}
	for _, d := range m.decls {
		p.parts(d.parts)
		p.b.WriteString("\n\n")
	}
	return m.imports(p.used) + p.b.String()
}

// imports writes the imports of what a text used.
func (m *module) imports(used map[*core.Module]map[string]bool) string {
	var lines []string
	for from, names := range used {
		line := "import " + from.Path
		switch {
		case !m.members[from] && m.alias != "":
			line += " as " + m.alias
		case m.members[from]:
			var all []string
			for n := range names {
				all = append(all, n)
			}
			sort.Strings(all)
			line += ".{" + strings.Join(all, ", ") + "}"
		}
		lines = append(lines, line+"\n")
	}
	sort.Strings(lines)
	if len(lines) > 0 {
		lines = append(lines, "\n")
	}
	return strings.Join(lines, "")
}
