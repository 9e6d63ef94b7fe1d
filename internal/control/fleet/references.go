// Which secrets a node has of those that a release's environment refers to.

package fleet

import (
	"context"
	"slices"

	"towpath.dev/internal/control/release"
)

// References are which references of a release's environment, ${env:NAME} and ${file:PATH},
// resolve at a node, as it was when the node got the release. What they stand for is in none.
type References struct {
	Release release.Digest `json:"release"`
	Resolve int            `json:"resolve,omitempty"` // how many do
	// Missing names those that do not, and More is how many beside them are not named.
	Missing []string `json:"missing,omitempty"`
	More    int      `json:"more,omitempty"`
}

const (
	mostMissing = 3  // names of references that do not resolve
	maxName     = 80 // bytes of one
)

// bounded is the references with few names.
func (r References) bounded() References {
	r.Missing = slices.Clone(r.Missing)
	if n := len(r.Missing); n > mostMissing {
		r.Missing, r.More = r.Missing[:mostMissing], r.More+n-mostMissing
	}
	return r.cut(maxName)
}

// cut is the references with shorter names.
func (r References) cut(room int) References {
	r.Missing = slices.Clone(r.Missing)
	for i, name := range r.Missing {
		r.Missing[i] = cut(name, min(room, maxName))
	}
	return r
}

// referencesOf asks the host which references of a release resolve; nil is that it does not say.
// What is wrong with the release is told as its trouble, by whoever makes it ready.
func (a *Agent) referencesOf(ctx context.Context, program string, parts *release.Loaded) *References {
	host, can := a.o.Host.(Resolver)
	if !can || program == release.Tow {
		return nil
	}
	r, err := host.References(ctx, program, parts)
	if err != nil {
		a.o.Log.Debug("it is not known which references of a release resolve", "program", program, "release", parts.Digest.Short(), "error", err)
		return nil
	}
	r.Release = parts.Digest
	r = r.bounded()
	return &r
}

// referencesOf are those of what runs and of what may soon, where there are any. What is known
// of other releases is forgotten.
func (p *program) referencesOf(i *Intent) []References {
	needed := []release.Digest{p.main, p.beside}
	if i != nil {
		needed = append(needed, i.Release, i.Candidate)
	}
	for d := range p.references {
		if !slices.Contains(needed, d) {
			delete(p.references, d)
		}
	}
	var all []References
	for k, d := range needed {
		if r, known := p.references[d]; known && r.Resolve+len(r.Missing) > 0 && !slices.Contains(needed[:k], d) {
			all = append(all, r)
		}
	}
	return all
}
