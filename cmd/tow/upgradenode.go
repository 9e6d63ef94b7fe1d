//go:build !solo

// A node that was started with --upgradable becomes the tow that is deployed to its
// environment, and goes back by itself from one that dies.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// installedVar is the variable by which a tow that was deployed knows where the one is that is
// installed. The process that is started has it not.
const installedVar = "TOW_INSTALLED"

// ownTow is which tow this process is.
func ownTow(environment string) (*fleet.Self, error) {
	file, err := os.Executable()
	if err != nil {
		return nil, err
	}
	part, err := release.PartOfFile(file)
	if err != nil {
		return nil, err
	}
	about := thisTow()
	r, err := release.NewTow(environment, about.Version, about.Platform, release.Range(about.ABI), part)
	if err != nil {
		return nil, err
	}
	d, err := r.Digest()
	return &fleet.Self{Release: d, Installed: os.Getenv(installedVar) == "", Platform: about.Platform}, err
}

// launch gives the process to the tow that shall run. It returns where that is this one, or where
// the other cannot be had here, which the agent sees to.
func launch(self *fleet.Self, disk *release.Disk, keeper fleet.Keeper, kills fleet.Kills, log *slog.Logger) error {
	if !self.Installed {
		return nil
	}
	m, err := keeper.Load()
	if err != nil {
		return nil // the agent tells it
	}
	before, err := json.Marshal(m)
	if err != nil {
		return err
	}
	d := m.Launch(time.Now(), kills)
	after, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) { // else a full disk is in nobody's way
		if err := keeper.Save(m); err != nil {
			log.Error("which tow the node tries cannot be written down: it goes on as the one that is installed", "release", d.Short(), "error", err)
			return nil
		}
	}
	if d == "" || d == self.Release {
		return nil
	}
	file, err := towOf(disk, d)
	if err != nil {
		log.Warn("the tow that shall run is not here now", "release", d.Short(), "error", err)
		return nil
	}
	log.Info("the node goes on as the tow that was deployed", "release", d.Short())
	installed, err := os.Executable()
	if err != nil {
		return err
	}
	return become(file, installed)
}

// succeed gives the process to another tow.
func succeed(next *fleet.Successor, disk *release.Disk) error {
	installed := os.Getenv(installedVar)
	if next.Release == "" {
		return become(installed, "")
	}
	file, err := towOf(disk, next.Release)
	if err == nil && installed == "" {
		installed, err = os.Executable()
	}
	if err != nil {
		return err
	}
	return become(file, installed)
}

// become has an executable take this process's place, with the same arguments.
func become(file, installed string) error {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, installedVar+"=") })
	if installed != "" {
		env = append(env, installedVar+"="+installed)
	}
	return fmt.Errorf("%s cannot take this process's place: %w", file, replaceProcess(file, os.Args, env))
}

// towOf is the executable of a release of tow, on the node's disk.
func towOf(disk *release.Disk, d release.Digest) (file string, err error) {
	r, err := releaseOn(disk, d)
	if err != nil {
		return "", err
	}
	if r.Executable == nil {
		return "", fmt.Errorf("the release %s is of %s, and not of tow", d.Short(), r.Program)
	}
	return disk.Executable(r.Executable.Digest)
}

func releaseOn(disk *release.Disk, d release.Digest) (*release.Release, error) {
	document, err := disk.Object(context.Background(), release.KindRelease, d)
	if err != nil {
		return nil, err
	}
	return release.Decode(document)
}

// readyTow is a tow that runs here.
type readyTow struct{}

func (readyTow) Probe(context.Context) error { return nil }
func (readyTow) Close()                      {}

// prepareTow sees that a tow runs here, and serves all that the node runs and may go back to.
func prepareTow(ctx context.Context, disk *release.Disk, r *release.Release) (fleet.Prepared, error) {
	unfit := func(format string, args ...any) (fleet.Prepared, error) {
		return nil, &fleet.Fault{Kind: fleet.Unfit, Err: fmt.Errorf(format, args...)}
	}
	if here := thisTow().Platform; r.Executable.Platform != here {
		return unfit("the tow is for %s, and this node is %s", r.Executable.Platform, here)
	}
	all, err := disk.Releases()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		other, err := releaseOn(disk, d)
		if err != nil || other.Executable != nil {
			continue // what is damaged was removed, and is fetched again
		}
		if s := r.Executable.Serves; !s.Has(other.ABI) {
			return unfit("the tow serves the ABI %d to %d, and this node has a release of %s (%s) of the ABI %d", s.Min, s.Max, other.Program, d.Short(), other.ABI)
		}
	}
	file, err := disk.Executable(r.Executable.Digest)
	if err != nil {
		return nil, err
	}
	about, err := askTow(ctx, file)
	switch {
	case errors.Is(err, errNoTow):
		return unfit("%w", err)
	case err != nil:
		return nil, err
	case about.Version != r.Toolchain || about.Platform != r.Executable.Platform || release.Range(about.ABI) != r.Executable.Serves:
		return unfit("the tow says that it is %s for the ABI %d to %d, and its release says otherwise: make it again", about.Version, about.ABI.Min, about.ABI.Max)
	}
	return readyTow{}, nil
}

// errNoTow is that an executable does not say which tow it is.
var errNoTow = errors.New("it is no tow that runs here")

// aboutTime is how long an executable may take to say which tow it is.
const aboutTime = 30 * time.Second

// askTow asks an executable which tow it is. The error is errNoTow where another time would be no
// better.
func askTow(ctx context.Context, file string) (*aboutTow, error) {
	ctx, cancel := context.WithTimeout(ctx, aboutTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, file)
	cmd.Args, cmd.WaitDelay = []string{"tow", "version", "--json"}, time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s does not say which tow it is: %w", file, ctx.Err())
	case errors.As(err, &exit):
		return nil, fmt.Errorf("%w: \"%s version --json\" ended with %w: %s", errNoTow, file, err, firstOf(errs.Bytes()))
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC):
		return nil, fmt.Errorf("%w: %w", errNoTow, err)
	case err != nil:
		return nil, err
	}
	about := new(aboutTow)
	if err := json.Unmarshal(out, about); err != nil {
		return nil, fmt.Errorf("%w: \"%s version --json\" says no JSON (%w): %s", errNoTow, file, err, firstOf(out))
	}
	return about, nil
}
