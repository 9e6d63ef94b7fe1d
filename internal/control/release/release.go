// Package release is what is deployed: releases, the objects that they consist of,
// where these are kept, who has signed them, and whom to believe.
//
// A release is a program's artifact together with an environment's files, the binding,
// in one immutable document. Its digest is its name, and the same sources, environment and
// callees give the same digest, whoever makes it. A document and its parts are objects,
// kept by a store of blobs ([Objects]) and by each node ([Disk]); both are a [Source], and
// both verify what they read, every time.
//
//	rel, err := release.New("prod", artifact, binding, nil)
//	digest, err := objects.Publish(ctx, rel, artifact, bundle)
//	envelope, err := release.Sign(rel, signer)
//	err = objects.AddSignatures(ctx, policy, digest, envelope)
//
// and on a node
//
//	loaded, err := disk.Fetch(ctx, digest, objects)
//	admissions, err := policy.Verify(loaded.Signatures, loaded.Release, admitted, time.Now())
//
// Whoever is trusted stands in a [Policy] that root keys have signed. A [Snapshot] is from
// where a new node starts while there is no control plane.
package release

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/label"
)

// A Release is a document: which artifact, bound how. It is not to be changed once it
// has a digest.
type Release struct {
	Format      int    `json:"format"` // Format
	Program     string `json:"program"`
	Environment string `json:"environment"`
	ABI         int    `json:"abi"` // of the artifact
	Artifact    Part   `json:"artifact,omitzero"`
	Binding     Part   `json:"binding,omitzero"`
	Toolchain   string `json:"toolchain"`           // that built the artifact
	SourceHash  string `json:"sourceHash,omitzero"` // of the sources: SHA-256, hex
	// Calls are the releases of the programs whose views this one asks, by program, as they
	// were when the release was made.
	Calls map[string]Digest `json:"calls,omitempty"`
	// Executable is what a release of tow itself has in the place of artifact and binding; nil
	// is any other program's.
	Executable *Executable `json:"executable,omitempty"`
}

// Part is an object that a release consists of.
type Part struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes
}

// Format is the version of the documents that this package writes, and the only one that
// it reads.
const Format = 1

// Bounds of what is read.
const (
	MaxRelease  = 64 << 10  // bytes of a release's document
	MaxArtifact = 256 << 20 // bytes of an artifact
	maxCalls    = 256       // programs
	maxText     = 256       // bytes of a toolchain's name
)

// New makes the release of an artifact in an environment, whose files are the binding.
// Calls are the releases of the programs whose views it asks; nil without any.
func New(environment string, module []byte, binding Binding, calls map[string]Digest) (*Release, error) {
	m, err := artifact.Decode(module)
	if err != nil {
		return nil, err
	}
	bundle, err := binding.Encode()
	if err != nil {
		return nil, err
	}
	r := &Release{
		Format: Format, Program: m.Program, Environment: environment, ABI: m.ABI,
		Artifact: PartOf(module), Binding: PartOf(bundle),
		Toolchain: m.Toolchain, SourceHash: m.SourceHash, Calls: maps.Clone(calls),
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, r.fits(m, binding)
}

// PartOf describes an object.
func PartOf(data []byte) Part { return Part{DigestOf(data), int64(len(data))} }

// fits says whether an artifact and a binding are those that a release tells of.
func (r *Release) fits(m *artifact.Manifest, binding Binding) error {
	if m.Program != r.Program || m.ABI != r.ABI || m.Toolchain != r.Toolchain || m.SourceHash != r.SourceHash {
		return fmt.Errorf("the artifact is of the program %q (ABI %d, %s, sources %.12s), and its release says %q (ABI %d, %s, sources %.12s): make the release again",
			m.Program, m.ABI, m.Toolchain, m.SourceHash, r.Program, r.ABI, r.Toolchain, r.SourceHash)
	}
	if _, has := binding[environmentFile(r.Environment)]; !has {
		return fmt.Errorf("the binding has no file %s, which the environment %q is: make the release again", environmentFile(r.Environment), r.Environment)
	}
	return nil
}

// Validate reports all that is wrong with a release.
func (r *Release) Validate() error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf("a release: "+format, args...)) }
	if r.Format != Format {
		complain("its format is %d, and this tow reads %d alone: use the version of tow that made it, or a later one", r.Format, Format)
	}
	if err := CheckProgram(r.Program); err != nil {
		errs = append(errs, err)
	}
	if err := CheckEnvironment(r.Environment); err != nil {
		errs = append(errs, err)
	}
	if r.ABI < 1 {
		complain("its ABI is %d: expected 1 or more", r.ABI)
	}
	for _, p := range r.parts() {
		if err := p.Digest.Check(); err != nil {
			complain("its %s: %w", p.kind, err)
		}
		if p.Size < 1 || p.Size > kinds[p.kind] {
			complain("its %s has %d bytes: expected 1 to %d", p.kind, p.Size, kinds[p.kind])
		}
	}
	if len(r.Toolchain) > maxText || !printable(r.Toolchain) {
		complain("its toolchain is %.80q: expected at most %d bytes of text", r.Toolchain, maxText)
	}
	switch {
	case r.Executable != nil:
		errs = append(errs, r.validateExecutable())
	case r.Program == Tow:
		complain("its program is called %s, as tow itself is: give it another name in tow.toml", Tow)
	case !sourceHashForm.MatchString(r.SourceHash):
		complain("the hash of its sources is %.80q: expected 64 hexadecimal digits", r.SourceHash)
	}
	if len(r.Calls) > maxCalls {
		complain("it calls %d programs: expected %d at most", len(r.Calls), maxCalls)
	}
	for _, program := range slices.Sorted(maps.Keys(r.Calls)) {
		if err := errors.Join(CheckProgram(program), r.Calls[program].Check()); err != nil {
			complain("its call of %.80q: %w", program, err)
		}
	}
	return errors.Join(errs...)
}

var sourceHashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Encode is the document in its canonical form: equal releases have equal bytes. The error
// is of [Release.Validate].
func (r *Release) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	data, err := canonical(r)
	if err == nil && len(data) > MaxRelease {
		err = fmt.Errorf("a release: its document has %d bytes: expected %d at most", len(data), MaxRelease)
	}
	return data, err
}

// Digest is the release's name. The error is of [Release.Validate].
func (r *Release) Digest() (Digest, error) {
	data, err := r.Encode()
	if err != nil {
		return "", err
	}
	return DigestOf(data), nil
}

// Decode reads a document, which may come from anywhere. One that is not in canonical
// form is refused: a release has one digest.
func Decode(data []byte) (*Release, error) {
	r := new(Release)
	if err := decode("a release", data, MaxRelease, r); err != nil {
		return nil, err
	}
	return r, nil
}

var (
	programForm = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
	fileForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)
)

const maxName = 63 // bytes: names become parts of files, objects and labels

// CheckProgram says what is wrong with a program's name, as its tow.toml has it.
func CheckProgram(name string) error {
	if len(name) > maxName || !programForm.MatchString(name) {
		return fmt.Errorf("%.80q is no program's name: expected small letters, digits and hyphens, at most %d, a letter first", name, maxName)
	}
	return nil
}

// CheckEnvironment says what is wrong with the name of an environment that is deployed
// to. It is the rule by which nodes join one, too.
func CheckEnvironment(name string) error {
	if !label.Valid(name) {
		return fmt.Errorf("%.80q cannot name an environment that is deployed to: expected %s; rename its file in env/", name, label.Expected)
	}
	return nil
}

// checkFile says what is wrong with the name of an environment that others extend: it becomes
// part of objects' names.
func checkFile(name string) error {
	if len(name) > maxName || !fileForm.MatchString(name) {
		return fmt.Errorf("%.80q cannot name an environment: expected small letters, digits, '.', '_' and '-', at most %d, "+
			"a letter or digit at both ends; rename its file in env/", name, maxName)
	}
	return nil
}

// CheckCell says what is wrong with the name of a cell in a snapshot. Nodes' own rule is
// narrower; cells that were there before it are read all the same.
func CheckCell(name string) error {
	if len(name) > maxName || !fileForm.MatchString(name) {
		return fmt.Errorf("%.80q cannot name a cell: expected %s", name, label.Expected)
	}
	return nil
}
