//go:build !solo

// tow release sign: a release that is there gets another signature.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/client"
	"towpath.dev/internal/control/release"
)

func releaseSignCommand(u *ui) *cobra.Command {
	r, keys := &releaseAsk{ui: u}, []string(nil)
	c := &cobra.Command{
		Use:   "sign DIGEST",
		Short: "Sign a release",
		Long: `Say by a key that a release may run: these bytes, as this program, in this environment.
"tow deploy --sign" does so as it makes the release; this is for a second person, and for
what was deployed before there was a policy. "tow release keygen" makes a key.`,
		Example: "  tow release sign 1f0c2b7a5f7a --env prod --key ci.key",
		Args:    exactly("a release's digest"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(keys) == 0 {
				return usage{errors.New("nothing to sign with: name a key with --key FILE; \"tow release keygen\" makes one"), "tow release sign"}
			}
			signers, err := readKeys(keys)
			if err != nil {
				return err
			}
			return r.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				d, err := r.digest(ctx, api, args[0])
				if err != nil {
					return err
				}
				return r.sign(ctx, api, d, signers)
			})
		},
	}
	c.Flags().StringArrayVar(&keys, "key", nil, "sign with the key in the `FILE`; may be given several times")
	r.flags(c)
	return c
}

// readKeys reads private keys.
func readKeys(files []string) ([]*release.Signer, error) {
	var signers []*release.Signer
	for _, file := range files {
		s, err := release.ReadKey(file)
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	return signers, nil
}

func (r *releaseAsk) sign(ctx context.Context, api *client.Control, d release.Digest, signers []*release.Signer) error {
	s, err := readSigned(ctx, api, d)
	if err != nil {
		return err
	}
	e, err := release.Sign(s.release, signers...)
	if err != nil {
		return err
	}
	text, err := e.Encode()
	if err != nil {
		return err
	}
	if err := putObject(ctx, api, "signatures", d, text); err != nil {
		return err
	}
	for _, by := range signers {
		fmt.Fprintf(r.out, "%s signed %s, which is %s in %s.\n", by.KeyID().Short(), d.Short(), s.release.Program, s.release.Environment)
	}
	s.signatures = append(s.signatures, e)
	trust, err := s.trusted(time.Now())
	if err != nil { // it is signed all the same
		trust = err.Error()
	}
	fmt.Fprintf(r.err, "Now %s.\n", trust)
	return nil
}
