//go:build !solo

// tow release: what a release is, and who has signed it.

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/release"
)

func releaseCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "release",
		Short: "Show and sign what is deployed",
		Long: `A release is a program's artifact, the files of an environment, and nothing else. "tow
deploy" makes it; its digest is its name, and nobody changes it. Where a trust policy is
in force ("tow trust"), nodes run only what is signed as the policy says.`,
		Example: "  tow release keygen ci.key\n" +
			"  tow release show 1f0c2b7a5f7a --env prod\n" +
			"  tow release sign 1f0c2b7a5f7a --env prod --key ci.key\n" +
			"  tow release verify --env prod",
	}
	c.AddCommand(releaseKeygenCommand(u), releaseShowCommand(u), releaseSignCommand(u), releaseVerifyCommand(u))
	return c
}

// releaseAsk is what the commands about releases have in common.
type releaseAsk struct {
	*ui
	at  controlAt
	env string
}

func (r *releaseAsk) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.env, "env", "", "it was deployed to the environment `NAME`: the beginning of its digest is enough then")
	r.at.flags(c)
}

// shortDigest is the beginning of a digest.
var shortDigest = regexp.MustCompile(`^(sha256:)?[0-9a-f]{6,64}$`)

// digest is the release that an argument names: by its digest, or by the beginning of it.
func (r *releaseAsk) digest(ctx context.Context, api *client.Control, text string) (release.Digest, error) {
	if !shortDigest.MatchString(text) {
		return "", usage{fmt.Errorf("%.90q is no digest: expected sha256: and 64 hexadecimal digits, or with --env the first six of them or more", text), "tow release"}
	}
	hex := strings.TrimPrefix(text, "sha256:")
	if len(hex) == 64 {
		return release.Digest("sha256:" + hex), nil
	}
	if r.env == "" {
		return "", usage{fmt.Errorf("%s is the beginning of a digest: say with --env where it was deployed, or write all of it", text), "tow release"}
	}
	all, err := deployedTo(ctx, api, r.env)
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(d release.Digest) bool { return !strings.HasPrefix(d.Hex(), hex) })
	switch len(all) {
	case 0:
		return "", wrong{fmt.Errorf("no release that begins with %s was deployed to %s of late; \"tow deploy list --env %s\" shows which were", hex, r.env, r.env)}
	case 1:
		return all[0], nil
	}
	return "", wrong{fmt.Errorf("%d releases begin with %s: write more of it", len(all), hex)}
}

// deployedTo are the releases of an environment's last deployments, each once.
func deployedTo(ctx context.Context, api *client.Control, environment string) ([]release.Digest, error) {
	r, err := api.Deploy.ListDeployments(ctx, &towpathv1.ListDeploymentsRequest{Environment: environment, Limit: 50})
	if err != nil {
		return nil, err
	}
	var all []release.Digest
	add := func(text string) {
		if text != "" {
			all = append(all, release.Digest(text))
		}
	}
	for _, h := range r.GetPrograms() {
		add(h.GetCurrent())
		add(h.GetPrevious())
	}
	for _, d := range r.GetDeployments() {
		add(d.GetRelease())
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// A signedRelease is a release's document with its signatures, and the trust policy that it is
// looked at by.
type signedRelease struct {
	release    *release.Release
	signatures []*release.Envelope
	policy     *release.Policy // nil: there is none
	admitted   release.Admitted
}

// readSigned gets a release's document and its signatures.
func readSigned(ctx context.Context, api *client.Control, d release.Digest) (*signedRelease, error) {
	from := apiSource{api}
	text, err := from.Object(ctx, release.KindRelease, d)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, wrong{fmt.Errorf("there is no release %s here; \"tow deploy list\" shows what was deployed", d)}
	}
	if err != nil {
		return nil, err
	}
	s := &signedRelease{}
	if s.release, err = release.Decode(text); err != nil {
		return nil, err
	}
	if s.signatures, err = from.Signatures(ctx, d); err != nil {
		return nil, err
	}
	s.policy, s.admitted, err = trustIn(ctx, api, s.release.Environment)
	return s, err
}

// policyInForce is the trust policy; nil is that there is none.
func policyInForce(ctx context.Context, api *client.Control) (*release.Policy, error) {
	p, _, err := trustIn(ctx, api, "")
	return p, err
}

// trustIn is the trust policy, and what was let in of an environment before keys were retired.
func trustIn(ctx context.Context, api *client.Control, environment string) (*release.Policy, release.Admitted, error) {
	r, err := api.Deploy.GetPolicy(ctx, &towpathv1.GetPolicyRequest{Environment: environment})
	if err != nil || len(r.GetPolicy()) == 0 {
		return nil, nil, err
	}
	admitted, err := release.DecodeAdmitted(r.GetAdmitted())
	if err != nil {
		return nil, nil, err
	}
	p, err := release.ReadPolicy(r.GetPolicy())
	return p, admitted, err
}

// by has it looked at by a policy that is not in force yet: what is let in now will have been.
func (s *signedRelease) by(next *release.Policy, now time.Time) {
	if more, err := s.policy.Verify(s.signatures, s.release, s.admitted, now); err == nil {
		s.admitted = s.admitted.With(more...)
	}
	s.policy = next
}

// trusted says by what nodes let the release run. The error is why they do not.
func (s *signedRelease) trusted(now time.Time) (string, error) {
	if s.policy == nil {
		return "no trust policy is in force: any release runs, signed or not", nil
	}
	_, err := s.policy.Verify(s.signatures, s.release, nil, now)
	if err == nil {
		return fmt.Sprintf("the trust policy %d lets it run", s.policy.Version), nil
	}
	if _, failed := s.policy.Verify(s.signatures, s.release, s.admitted, now); failed != nil {
		return "", err
	}
	return fmt.Sprintf("the trust policy %d lets it run, as it was let in before its key was retired; sign it by another key", s.policy.Version), nil
}

// signer is a key that has signed a release.
type signer struct {
	Key  release.KeyID `json:"key"`
	Name string        `json:"name,omitempty"`
	// Says is what its signature is worth: good, unknown, or bad.
	Says string `json:"says"`
}

// signers are who has signed.
func (s *signedRelease) signers() []signer {
	all := []signer{}
	for _, e := range s.signatures {
		for _, of := range e.Signatures {
			one := signer{Key: of.KeyID, Says: "unknown"}
			for i := range s.keys() {
				k := &s.policy.Keys[i]
				if k.Key.ID() != of.KeyID {
					continue
				}
				if one.Name, one.Says = k.Name, "bad"; e.SignedBy(k.Key) {
					one.Says = "good, " + string(k.Status)
				}
			}
			all = append(all, one)
		}
	}
	return all
}

func (s *signedRelease) keys() []release.Key {
	if s.policy == nil {
		return nil
	}
	return s.policy.Keys
}
