// The report as text.

package compat

import (
	"fmt"
	"strings"
)

// write writes the report, a line for the whole, and below it what is not as it was.
func (r *Report) write(b *strings.Builder) {
	if len(r.Views) == 0 && len(r.Added) == 0 && len(r.Calls) == 0 {
		fmt.Fprintf(b, "%s: nobody asks it, and it asks nobody\n", r.Program)
		return
	}
	fmt.Fprintf(b, "%s: %s\n", r.Program, r.summary())
	for i := range r.Views {
		r.Views[i].write(b)
	}
	for _, name := range r.Added {
		fmt.Fprintf(b, "  %s: new\n", name)
	}
	for i := range r.Calls {
		r.Calls[i].write(b, "  ", r.Calls[i].Of)
	}
}

func (r *Report) summary() string {
	text := r.Verdict().String()
	if r.Verdict() == BreaksCallers {
		text = "breaks callers"
	}
	if r.Rebinds() {
		text += "; its services have to answer to something new"
	}
	return text
}

func (v *View) write(b *strings.Builder) {
	if v.Verdict == Compatible && len(v.Findings) == 0 {
		fmt.Fprintf(b, "  %s: compatible\n", v.Name)
		return
	}
	fmt.Fprintf(b, "  %s: %s%s\n", v.Name, v.Verdict, v.callers())
	for i := range v.Findings {
		v.Findings[i].write(b, "    ", v.Findings[i].Where)
	}
	for _, c := range v.Callers {
		fmt.Fprintf(b, "    %s breaks at its %s call %s\n", c.Caller, c.Need, c.Operation)
		for i := range c.Findings {
			c.Findings[i].write(b, "      ", c.Findings[i].Where)
		}
	}
}

// callers names those that break.
func (v *View) callers() string {
	var all []string
	for _, c := range v.Callers {
		if len(all) == 0 || all[len(all)-1] != c.Caller {
			all = append(all, c.Caller)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, ", ")
}

func (f *Finding) write(b *strings.Builder, indent, of string) {
	b.WriteString(indent + of)
	if f.Path != "" {
		b.WriteString(" " + f.Path)
	}
	b.WriteString(": " + f.change() + f.Why + "\n")
	if f.Next != "" {
		b.WriteString(indent + "  → " + f.Next + "\n")
	}
}

// change is what was and what is.
func (f *Finding) change() string {
	switch {
	case f.Was == "" && f.Is == "":
		return ""
	case f.Was == "":
		return "new, " + f.Is + ": "
	case f.Is == "":
		return "was " + f.Was + ", is gone: "
	}
	return "was " + f.Was + ", is " + f.Is + ": "
}
