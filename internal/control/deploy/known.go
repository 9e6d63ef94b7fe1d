package deploy

import (
	"context"
	"maps"
	"slices"
	"strings"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
)

// Known refuses a freeze of what nobody knows: of an environment that has neither nodes nor
// deployments, or of a program that was never deployed there. Who mistypes a name has frozen
// nothing, and believes to have. To who sees them all it names the environments that there are.
func (s *Service) Known(ctx context.Context, f Freeze, seesAll bool) error {
	if f.Environment == "" && f.Program == "" {
		return nil
	}
	heads, err := s.Store.Range(ctx, election.Span{Keys: election.Prefix(headPrefix), KeysOnly: true})
	if err != nil {
		return err
	}
	nodes, err := s.Store.Range(ctx, election.Span{Keys: election.Prefix(fleet.StatusPrefix), KeysOnly: true})
	if err != nil {
		return err
	}
	environments, programs := map[string]bool{}, map[string]bool{}
	for _, e := range heads.Entries {
		environment, program, _ := strings.Cut(strings.TrimPrefix(e.Key, headPrefix), "/")
		environments[environment] = true
		if f.Environment == "" || f.Environment == environment {
			programs[program] = true
		}
	}
	for _, e := range nodes.Entries {
		if environment, _, ok := fleet.ParseStatusKey(e.Key); ok {
			environments[environment] = true
		}
	}
	const inAdvance = "and nothing would be frozen; --anyway freezes it in advance"
	switch {
	case f.Environment != "" && !environments[f.Environment] && !seesAll:
		return refuse("nothing is known of an environment %.80q, %s", f.Environment, inAdvance)
	case f.Environment != "" && !environments[f.Environment]:
		return refuse("nothing is known of an environment %.80q (%s), %s", f.Environment, thereIs(environments), inAdvance)
	case f.Program != "" && !programs[f.Program]:
		return refuse("nothing is known of a program %.80q in %s (%s), %s", f.Program, or(f.Environment, "any environment"), thereIs(programs), inAdvance)
	}
	return nil
}

// thereIs names what there is.
func thereIs(names map[string]bool) string {
	const most = 10
	all := slices.Sorted(maps.Keys(names))
	switch {
	case len(all) == 0:
		return "there is none yet"
	case len(all) > most:
		return "there is " + strings.Join(all[:most], ", ") + " and others"
	}
	return "there is " + strings.Join(all, ", ")
}
