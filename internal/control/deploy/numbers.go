package deploy

import (
	"context"
	"strings"

	"towpath.dev/election"
)

// Numbers are the numbers that deployments were given last, by PROGRAM.ENVIRONMENT: there was
// one of each number from 1 on.
// A deployment's name is the two with a dot between.
func (s *Service) Numbers(ctx context.Context) (map[string]int64, error) {
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Prefix(headPrefix)})
	if err != nil {
		return nil, err
	}
	all := map[string]int64{}
	for _, e := range page.Entries {
		h, err := decode[Head](e.Key, e.Value)
		if err != nil {
			return nil, err
		}
		environment, program, _ := strings.Cut(strings.TrimPrefix(e.Key, headPrefix), "/")
		all[program+"."+environment] = h.Last
	}
	return all, nil
}
