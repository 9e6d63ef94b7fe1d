// References in texts.

package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Reference stands in a text for what is said elsewhere: ${env:NAME}, ${env:NAME:-default}
// or ${file:PATH}.
type Reference struct {
	Kind string // "env" or "file"
	Name string // of the variable; the file's path
	// Default stands for a variable that is not set, if HasDefault.
	Default    string
	HasDefault bool
}

// String is the reference as it is written.
func (r Reference) String() string {
	if r.HasDefault {
		return "${" + r.Kind + ":" + r.Name + ":-" + r.Default + "}"
	}
	return "${" + r.Kind + ":" + r.Name + "}"
}

// Replace puts values into a text in the place of its references. The error is the first
// of value's, or says which reference is none.
func Replace(text string, value func(Reference) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("a reference begins with `${` and never ends: expected `${env:NAME}` or `${file:PATH}`")
		}
		r, err := parseReference(inner)
		if err != nil {
			return "", err
		}
		v, err := value(r)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		text = after
	}
}

// parseReference reads what stands between the braces.
func parseReference(inner string) (Reference, error) {
	kind, what, _ := strings.Cut(inner, ":")
	switch {
	case kind == "env" && what != "":
		name, def, has := strings.Cut(what, ":-")
		return Reference{kind, name, def, has}, nil
	case kind == "file" && what != "":
		return Reference{Kind: kind, Name: what}, nil
	}
	return Reference{}, fmt.Errorf("`${%s}` refers to nothing: expected `${env:NAME}` or `${file:PATH}`", inner)
}

// References are those in all texts of the file, each once, in the order of how they are
// written. A text in which one is no reference has those before it: whoever reads the text
// complains of it.
func (f *File) References() []Reference {
	var all []Reference
	collect(f.Root.values, &all)
	slices.SortFunc(all, func(a, b Reference) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

func collect(v any, into *[]Reference) {
	switch v := v.(type) {
	case string:
		_, _ = Replace(v, func(r Reference) (string, error) {
			*into = append(*into, r)
			return "", nil
		})
	case []any:
		for _, one := range v {
			collect(one, into)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			collect(v[key], into)
		}
	}
}
