//go:build !solo

// tow release show: what a release consists of, and who has signed it.

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/client"
	"towpath.dev/internal/control/release"
)

func releaseShowCommand(u *ui) *cobra.Command {
	r, asJSON := &releaseAsk{ui: u}, false
	c := &cobra.Command{
		Use:   "show DIGEST",
		Short: "Show what a release is, and who has signed it",
		Long: `Show a release: its program and environment, its parts, what it was built from, the
releases whose views it asks, the secrets that nodes have to have for it, who has signed
it, and whether the trust policy lets it run.`,
		Example: "  tow release show sha256:1f0c2b7a5f7a1d9e3a0e6d7d8c0b6a4e2f9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b\n" +
			"  tow release show 1f0c2b7a5f7a --env prod",
		Args: exactly("a release's digest"),
		RunE: func(c *cobra.Command, args []string) error {
			return r.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				d, err := r.digest(ctx, api, args[0])
				if err != nil {
					return err
				}
				return r.show(ctx, api, d, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	r.flags(c)
	return c
}

func (r *releaseAsk) show(ctx context.Context, api *client.Control, d release.Digest, asJSON bool) error {
	s, err := readSigned(ctx, api, d)
	if err != nil {
		return err
	}
	binding := release.Binding{}
	if s.release.Executable == nil {
		bundle, err := apiSource{api}.Object(ctx, release.KindBinding, s.release.Binding.Digest)
		if err != nil {
			return err
		}
		if binding, err = release.DecodeBinding(bundle); err != nil {
			return err
		}
	}
	files, needs := slices.Sorted(maps.Keys(binding)), []string{}
	for _, ref := range binding.References() {
		needs = append(needs, ref.String())
	}
	trust, refused := s.trusted(time.Now())
	if refused != nil {
		trust = refused.Error()
	}
	if asJSON {
		return r.lines(1, func(int) any {
			return map[string]any{
				"digest": d, "release": s.release, "files": files, "needs": needs,
				"signatures": s.signers(), "trusted": refused == nil, "trust": trust,
			}
		})
	}
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	row("release", "%s", d)
	row("program", "%s", s.release.Program)
	row("environment", "%s", s.release.Environment)
	row("ABI", "%d", s.release.ABI)
	if e := s.release.Executable; e != nil {
		row("executable", "%s, %s", e.Digest, size(int(e.Size)))
		row("is", "%s, for %s, and serves the ABI %d to %d", s.release.Toolchain, e.Platform, e.Serves.Min, e.Serves.Max)
	} else {
		row("artifact", "%s, %s", s.release.Artifact.Digest, size(int(s.release.Artifact.Size)))
		row("binding", "%s, %s", s.release.Binding.Digest, size(int(s.release.Binding.Size)))
		row("files", "%s", strings.Join(files, ", "))
		row("built by", "%s", s.release.Toolchain)
		row("sources", "%s", s.release.SourceHash)
	}
	for _, program := range slices.Sorted(maps.Keys(s.release.Calls)) {
		row("asks", "%s, as of %s", program, s.release.Calls[program].Short())
	}
	row("needs", "%s", or(strings.Join(needs, " "), "nothing of its nodes"))
	for _, k := range s.signers() {
		row("signed by", "%s: %s", strings.TrimSpace(k.Name+" "+k.Key.Short()), k.Says)
	}
	if len(s.signatures) == 0 {
		row("signed by", "nobody")
	}
	row("trust", "%s", trust)
	return w.Flush()
}
