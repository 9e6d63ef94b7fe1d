// Which references of an environment resolve here.

package bind

import (
	"slices"
	"strings"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/settings"
)

// References says of the references in the settings that a program needs of an environment,
// each once, how many resolve here, and names those that do not, as they are written but for
// defaults. One with a default resolves. What is wrong with the environment otherwise is told
// by Bind; the error is of reading it.
func References(root, name string, m *artifact.Manifest, opts Options) (resolve int, missing []string, err error) {
	e, err := Read(root, name)
	if err != nil {
		return 0, nil, err
	}
	seen := map[settings.Reference]bool{}
	for _, f := range e.files {
		expand := f.Expand
		f.Expand = func(text string) (string, error) {
			_, _ = settings.Replace(text, func(r settings.Reference) (string, error) {
				if seen[r] {
					return "", nil
				}
				seen[r] = true
				if _, err := e.refer(r); err != nil {
					missing = append(missing, "${"+r.Kind+":"+r.Name+"}")
				} else {
					resolve++
				}
				return "", nil // so that the others in the text are seen too
			})
			return expand(text)
		}
	}
	if b, err := e.Bind(m, opts); err == nil {
		_ = b.Close() // nothing was asked
	}
	slices.SortFunc(missing, strings.Compare)
	return resolve, slices.Compact(missing), nil
}
