//go:build !solo

// tow release verify: whether the trust policy lets releases run.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/release"
)

func releaseVerifyCommand(u *ui) *cobra.Command {
	r, policy := &releaseAsk{ui: u}, ""
	c := &cobra.Command{
		Use:   "verify [DIGEST]",
		Short: "Find out whether the trust policy lets a release run",
		Long: `Verify a release's signatures by the trust policy that is in force, or by the one in the
file of --policy, before that is put in force. Without a DIGEST it is what the programs of
an environment run, and what they would go back to. It exits with 1 if one may not run.`,
		Example: "  tow release verify 1f0c2b7a5f7a --env prod\n" +
			"  tow release verify --env prod --policy policy-2.signed",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usage{fmt.Errorf("tow release verify takes one release, and %q is one too many", args[1]), "tow release verify"}
			case len(args) == 0 && r.env == "":
				return usage{errors.New("tow release verify needs a release's digest, or --env"), "tow release verify"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return r.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				all, err := r.toVerify(ctx, api, args)
				if err != nil {
					return err
				}
				return r.verify(ctx, api, all, policy)
			})
		},
	}
	c.Flags().StringVar(&policy, "policy", "", "by the signed trust policy in the `FILE`")
	r.flags(c)
	return c
}

// toVerify are the releases that are meant.
func (r *releaseAsk) toVerify(ctx context.Context, api *client.Control, args []string) ([]release.Digest, error) {
	if len(args) > 0 {
		d, err := r.digest(ctx, api, args[0])
		return []release.Digest{d}, err
	}
	list, err := api.Deploy.ListDeployments(ctx, &towpathv1.ListDeploymentsRequest{Environment: r.env, Limit: 1})
	if err != nil {
		return nil, err
	}
	var all []release.Digest
	for _, h := range list.GetPrograms() {
		for _, d := range []string{h.GetCurrent(), h.GetPrevious()} {
			if d != "" {
				all = append(all, release.Digest(d))
			}
		}
	}
	if len(all) == 0 {
		return nil, wrong{fmt.Errorf("nothing was deployed to %s", r.env)}
	}
	return all, nil
}

func (r *releaseAsk) verify(ctx context.Context, api *client.Control, all []release.Digest, file string) error {
	var policy *release.Policy
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if policy, err = release.ReadPolicy(text); err != nil {
			return wrong{fmt.Errorf("%s: %w", file, err)}
		}
	}
	failed := false
	for _, d := range all {
		s, err := readSigned(ctx, api, d)
		if err != nil {
			return err
		}
		if policy != nil {
			s.by(policy, time.Now())
		}
		trust, err := s.trusted(time.Now())
		switch {
		case errors.Is(err, release.ErrUntrusted):
			failed = true
			fmt.Fprintln(r.out, printable(err.Error()))
		case err != nil:
			return err
		default:
			fmt.Fprintf(r.out, "%s of %s in %s: %s\n", d.Short(), s.release.Program, s.release.Environment, printable(trust))
		}
	}
	if failed {
		return errWrong // and said
	}
	return nil
}
