// What troubles a node itself, and what does only seem to be a release's.

package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"towpath.dev/internal/control/release"
)

// shortages are what a machine says that has not got something now, or whose disk fails.
var shortages = []syscall.Errno{
	syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ENOSPC, syscall.EDQUOT, syscall.EIO,
}

// Passing reports whether an error says nothing of a release, as it is of the node or of who asked:
// somebody did not wait for the end, or the machine has not got something now.
func Passing(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || short(err)
}

// short reports whether the machine has not got something. What binds sources tells that in words
// alone, as diagnostics do.
func short(err error) bool {
	return err != nil && slices.ContainsFunc(shortages, func(e syscall.Errno) bool {
		return errors.Is(err, e) || strings.Contains(err.Error(), e.Error())
	})
}

// failing reports whether a disk cannot be read.
func failing(err error) bool { return errors.Is(err, syscall.EIO) }

// passingText is what is said of an error after which the node tries again.
func passingText(err error) string {
	switch {
	case short(err):
		return "this node is short of something, which says nothing of the release, and tries again: " + err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long, which says nothing of the release, and the node tries again: " + err.Error()
	}
	return err.Error()
}

// troubles are the node's own.
func (a *Agent) troubles() []Trouble {
	var all []Trouble
	add := func(k Kind, text string) {
		if text != "" {
			all = append(all, Trouble{Kind: k, Text: cut(text, maxTrouble)})
		}
	}
	if a.trust.refused != nil {
		add(Astray, a.trust.refused.Error())
	}
	if a.unsaved != nil {
		add(Unsaved, "what the node shall run cannot be written down, and it goes on with what it ran before: "+a.unsaved.Error())
	}
	add(Forgot, a.memory.Aside)
	add(Disowned, a.disowned())
	return all
}

// disowned says what runs and would not be begun any more; "" is nothing.
func (a *Agent) disowned() string {
	var names, why []string
	for _, name := range slices.Sorted(maps.Keys(a.programs)) {
		p := a.programs[name]
		for _, d := range []release.Digest{p.main, p.beside} {
			if text := p.disowned[d]; d != "" && text != "" {
				names = append(names, name+" "+d.Short())
				why = append(why, text)
			}
		}
	}
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return fmt.Sprintf("%s runs on here, and will not start again: %s", names[0], why[0])
	default:
		return fmt.Sprintf("%s and %d more run on here, and will not start again: %s", names[0], n-1, why[0])
	}
}
