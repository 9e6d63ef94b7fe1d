// Releases of tow itself.

package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
)

// Tow is the program's name under which tow itself is released. No other program has it.
const Tow = "tow"

// MaxExecutable is how many bytes an executable may have.
const MaxExecutable = 256 << 20

// An Executable is what a release of tow has in the place of an artifact and a binding. The
// release's ABI is the highest that it serves, and its toolchain what it says of itself.
type Executable struct {
	Part
	Platform string `json:"platform"` // that it runs on: "linux/amd64"
	Serves   Range  `json:"serves"`   // the ABI of what it runs
}

var platformForm = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+$`)

// NewTow makes the release of a tow for an environment. Of the same executable and the same
// of what it says about itself (what is "tow version") it is the same release, so that a process
// can tell of which release it is.
func NewTow(environment, version, platform string, serves Range, executable Part) (*Release, error) {
	r := &Release{
		Format: Format, Program: Tow, Environment: environment, ABI: serves.Max, Toolchain: version,
		Executable: &Executable{Part: executable, Platform: platform, Serves: serves},
	}
	return r, r.Validate()
}

// Has reports whether a number is within the range.
func (r Range) Has(n int) bool { return r.Min <= n && n <= r.Max }

// parts are the objects that the release consists of.
func (r *Release) parts() []object {
	if r.Executable != nil {
		return []object{{KindExecutable, r.Executable.Part}}
	}
	return []object{{KindArtifact, r.Artifact}, {KindBinding, r.Binding}}
}

// object is a part, and what it is.
type object struct {
	kind Kind
	Part
}

// validateExecutable reports what is wrong with a release of tow that is not wrong with all.
func (r *Release) validateExecutable() error {
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("a release of tow: "+format, args...))
	}
	e := r.Executable
	if r.Program != Tow {
		complain("it is called %.80q: expected %s", r.Program, Tow)
	}
	if r.Artifact != (Part{}) || r.Binding != (Part{}) || r.SourceHash != "" || len(r.Calls) > 0 {
		complain("it has an artifact, a binding, sources or calls: expected an executable alone")
	}
	if !platformForm.MatchString(e.Platform) {
		complain("its platform is %.80q: expected one such as linux/amd64", e.Platform)
	}
	if e.Serves.Min < 1 || e.Serves.Max < e.Serves.Min || e.Serves.Max != r.ABI {
		complain("it serves the ABI %d to %d and is of %d: expected two numbers from 1 on, the higher one the release's", e.Serves.Min, e.Serves.Max, r.ABI)
	}
	return errors.Join(errs...)
}

// Executable is the file of an executable, verified, which can be run. It stays as it is until
// [Disk.Keep] removes it.
func (d *Disk) Executable(digest Digest) (file string, err error) {
	if err := digest.Check(); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := diskName(KindExecutable, digest)
	data, err := d.read(name, MaxExecutable)
	if err == nil {
		_, err = verified(d.dir, name, KindExecutable, digest, data, "it was removed, and is fetched again")
	}
	if err != nil {
		return "", d.removeDamaged(name, err)
	}
	file = d.path(name)
	return file, os.Chmod(file, 0o700)
}

// keeps are the files of the disk that a release needs, beside its document and signatures.
func (r *Release) keeps() []string {
	var all []string
	for _, p := range r.parts() {
		all = append(all, diskName(p.kind, p.Digest))
	}
	if r.Executable == nil {
		all = append(all, "files/"+r.Binding.Digest.Hex())
	}
	return all
}

// PartOfFile describes a file as an object.
func PartOfFile(name string) (Part, error) {
	file, err := os.Open(name)
	if err != nil {
		return Part{}, err
	}
	defer func() { _ = file.Close() }() // was read from alone
	hash := sha256.New()
	n, err := io.Copy(hash, file)
	return Part{Digest(digestPrefix + hex.EncodeToString(hash.Sum(nil))), n}, err
}
