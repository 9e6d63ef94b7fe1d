//go:build !solo

// tow trust sign: root keys sign a trust policy.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/release"
	"towpath.dev/internal/wholefile"
)

func trustSignCommand(u *ui) *cobra.Command {
	keys, out := []string(nil), ""
	c := &cobra.Command{
		Use:   "sign POLICY",
		Short: "Sign a trust policy by root keys",
		Long: `Sign a trust policy: a file of JSON that somebody wrote (docs/releases.md has one), or one
that others have signed already, which keeps their signatures. So several people sign
one after the other. A policy with other root keys than the one in force has to be signed
by enough of the old ones and enough of the new ones.`,
		Example: "  tow trust sign policy.json --root root-1.key -o policy.signed\n" +
			"  tow trust sign policy.signed --root root-2.key -o policy.signed",
		Args: exactly("a trust policy's file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(keys) == 0 {
				return usage{errors.New("nothing to sign with: name root keys with --root FILE; \"tow release keygen\" makes one"), "tow trust sign"}
			}
			return u.signPolicy(args[0], keys, out)
		},
	}
	c.Flags().StringArrayVar(&keys, "root", nil, "sign with the root key in the `FILE`; may be given several times")
	c.Flags().StringVarP(&out, "output", "o", "", "write the signed policy to the `FILE` (default: standard output)")
	return c
}

func (u *ui) signPolicy(file string, keys []string, out string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	signers, err := readKeys(keys)
	if err != nil {
		return err
	}
	before, p, err := unsignedPolicy(text)
	if err != nil {
		return wrong{fmt.Errorf("%s: %w", file, err)}
	}
	e, err := release.SignPolicy(p, signers...)
	if err != nil {
		return err
	}
	if before != nil {
		if err := before.Add(e); err != nil {
			return err
		}
		e = before
	}
	signed, err := e.Encode()
	if err != nil {
		return err
	}
	for _, s := range signers {
		if !slices.ContainsFunc(p.Roots.Keys, func(k release.PublicKey) bool { return k.ID() == s.KeyID() }) {
			fmt.Fprintf(u.err, "%s is no root key of this policy: that is right if it is one of the policy in force, which this one replaces.\n", s.KeyID().Short())
		}
	}
	if _, err := release.ReadPolicy(signed); err != nil { // more have to sign it
		fmt.Fprintf(u.err, "Not yet enough: %s.\n", err)
	}
	if out == "" {
		_, err = fmt.Fprintf(u.out, "%s\n", signed)
		return err
	}
	return wholefile.Replace(out, append(signed, '\n'))
}

// unsignedPolicy reads a policy to be signed, and what others have signed of it; nil is
// nobody.
func unsignedPolicy(text []byte) (*release.Envelope, *release.Policy, error) {
	var head struct {
		PayloadType *string `json:"payloadType"`
	}
	if json.Unmarshal(text, &head) != nil || head.PayloadType == nil {
		p, err := release.ParsePolicy(text)
		return nil, p, err
	}
	e, err := release.DecodeEnvelope(text)
	if err != nil {
		return nil, nil, err
	}
	if e.PayloadType != release.TypePolicy {
		return nil, nil, fmt.Errorf("it is a signed %q, and no trust policy", e.PayloadType)
	}
	p, err := release.ParsePolicy(e.Payload)
	return e, p, err
}
