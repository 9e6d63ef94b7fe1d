//go:build !solo

// What types say of a version beside the one that runs: for tow deploy, and for controllers, before
// something else moves than was looked at.

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/artifact/compat"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/run/bind"
)

// compareTypes compares a version of a program with the release that runs, and with those of other programs that
// call it; nil if none runs.
func compareTypes(ctx context.Context, from release.Source, program string, is *artifact.Manifest, current release.Digest, running map[string]release.Digest) (*compat.Report, error) {
	if current == "" {
		return nil, nil
	}
	old, err := release.Load(ctx, from, current)
	if err != nil {
		return nil, fmt.Errorf("the release that runs: %w", err)
	}
	report := compat.Compare(old.Manifest, is)
	callers := map[string]compat.Caller{}
	for other, d := range running {
		if other == program || other == release.Tow || d == "" {
			continue
		}
		l, err := callerOf(ctx, from, program, d)
		if err != nil {
			return nil, fmt.Errorf("the release of %s that runs: %w", other, err)
		}
		if l != nil {
			callers[other] = compat.Caller{Manifest: l.Manifest, Views: answering(l)}
		}
	}
	report.Against(callers)
	return report, nil
}

// callerOf loads a release if it calls a program; else it is nil, and its document is all that was read.
func callerOf(ctx context.Context, from release.Source, program string, d release.Digest) (*release.Loaded, error) {
	document, err := from.Object(ctx, release.KindRelease, d)
	if err != nil {
		return nil, err
	}
	r, err := release.Decode(document)
	if err != nil || r.Calls[program] == "" {
		return nil, err
	}
	return release.Load(ctx, from, d)
}

// answering are the views that answer a release's operations.
func answering(l *release.Loaded) map[string]string {
	dir, err := os.MkdirTemp("", "tow-binding-*")
	if err != nil {
		return nil
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "files")
	if err := l.Binding.Unpack(root, dir); err != nil {
		return nil
	}
	e, err := bind.Read(root, l.Release.Environment)
	if err != nil {
		return nil
	}
	views := map[string]string{}
	for operation, v := range e.Views(l.Manifest) {
		views[operation] = v.View
	}
	return views
}

// comparer is how a controller compares: it has the objects of releases.
func comparer(from release.Source) deploy.Comparer {
	return func(ctx context.Context, p *deploy.Plan, current release.Digest, running map[string]release.Digest) (deploy.Comparison, error) {
		is, err := release.Load(ctx, from, p.Release)
		if err != nil {
			return deploy.Comparison{}, fmt.Errorf("the candidate: %w", err)
		}
		report, err := compareTypes(ctx, from, p.Program, is.Manifest, current, running)
		if err != nil || report == nil {
			return deploy.Comparison{Compatible: report == nil}, err
		}
		return deploy.Comparison{Compatible: report.Verdict() == compat.Compatible, Text: report.String()}, nil
	}
}
