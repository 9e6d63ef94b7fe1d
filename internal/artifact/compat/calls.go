// What a program asks of services.

package compat

import (
	"fmt"
	"slices"
	"time"

	"towpath.dev/internal/artifact"
)

// compareCalls gives what the services of a program have to do that they did not.
func compareCalls(old, new *artifact.Manifest) []Finding {
	var all []Finding
	for i := range new.Operations {
		is := &new.Operations[i]
		name := is.QualifiedName()
		was := operation(old, name)
		if was == nil {
			all = append(all, Finding{Severity: Bind, Where: "call", Of: name, Is: need(new, i) + " call", Why: "the old version does not ask it, so nothing may answer it",
				Next: fmt.Sprintf("add [services.%s.%s] to the environment, with the source that answers it", is.Service, is.Name)})
			continue
		}
		all = append(all, arguments(old, new).compare(name+", arguments", was.Args, is.Args)...)
		all = append(all, results(old, new).compare(name+", answer", was.Result, is.Result)...)
		all = append(all, compareAsking(was, is)...)
	}
	for i := range old.Operations {
		if name := old.Operations[i].QualifiedName(); operation(new, name) == nil {
			all = append(all, Finding{Severity: Note, Where: "call", Of: name, Was: need(old, i) + " call", Why: "the new version does not ask it",
				Next: "keep its binding until the old version runs nowhere"})
		}
	}
	slices.SortStableFunc(all, heaviest)
	return all
}

// operation is that of a qualified name; nil if there is none.
func operation(m *artifact.Manifest, name string) *artifact.Operation {
	for i := range m.Operations {
		if m.Operations[i].QualifiedName() == name {
			return &m.Operations[i]
		}
	}
	return nil
}

// need is how much a program needs an operation: as much as the view does that needs it most.
func need(m *artifact.Manifest, op int) string {
	most := "unused"
	for i := range m.Views {
		for _, c := range m.Views[i].Callings {
			if c.Operation == op && (most == "unused" || weight[c.Need] > weight[most]) {
				most = c.Need
			}
		}
	}
	return most
}

// compareAsking notes in what other way an operation is asked.
func compareAsking(was, is *artifact.Operation) []Finding {
	var all []Finding
	note := func(was, is, why string) {
		if was != is {
			all = append(all, Finding{Severity: Note, Where: "call", Was: was, Is: is, Why: why})
		}
	}
	note(within(was.WithinNS), within(is.WithinNS), "its deadline is another one")
	note(batch(was.Batch), batch(is.Batch), "the service gets requests of another size")
	note(cache(was), cache(is), "answers are kept otherwise, and so asked for more or less often")
	note(retried(was.Idempotent), retried(is.Idempotent), "the service may be asked a second time for what failed, or no longer is")
	for i := range all {
		all[i].Of = is.QualifiedName()
	}
	return all
}

func batch(n int) string {
	if n == 0 {
		return "no batch"
	}
	return fmt.Sprintf("batch %d", n)
}

func cache(o *artifact.Operation) string {
	if o.CacheNS == 0 {
		return "no cache"
	}
	if o.Shared {
		return fmt.Sprintf("cache %s shared", time.Duration(o.CacheNS))
	}
	return fmt.Sprintf("cache %s per caller", time.Duration(o.CacheNS))
}

func retried(idempotent bool) string {
	if idempotent {
		return "idempotent"
	}
	return "not idempotent"
}
