package release_test

import (
	"context"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/release"
)

// module is an artifact of a program: one that no engine would run, and all that this
// package looks at. Tag makes it another one.
func module(t testing.TB, program, tag string) []byte {
	t.Helper()
	m := &artifact.Manifest{
		ABI: abi.Version, Program: program, Toolchain: "tow 0.1.0 " + tag,
		SourceHash: strings.Repeat("a1", 32), HeapBase: 1024, Pages: 1,
	}
	data, err := artifact.Encode([]byte("\x00asm\x01\x00\x00\x00"), m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// binding is an environment's files.
func binding() release.Binding {
	return release.Binding{
		"env/prod.toml":    []byte("extends = \"base\"\n"),
		"env/base.toml":    []byte("[sources.prices]\ntype = \"http\"\nurl = \"${env:PRICES}\"\n"),
		"proto/shop.proto": []byte("syntax = \"proto3\";\n"),
	}
}

// made is a release with its parts.
type made struct {
	release          *release.Release
	digest           release.Digest
	artifact, bundle []byte
}

// newRelease is the release of a program to prod.
func newRelease(t testing.TB, program, tag string) made {
	t.Helper()
	m := made{artifact: module(t, program, tag)}
	var err error
	if m.bundle, err = binding().Encode(); err != nil {
		t.Fatal(err)
	}
	if m.release, err = release.New("prod", m.artifact, binding(), nil); err != nil {
		t.Fatal(err)
	}
	if m.digest, err = m.release.Digest(); err != nil {
		t.Fatal(err)
	}
	return m
}

func publish(t testing.TB, o *release.Objects, m made) {
	t.Helper()
	digest, err := o.Publish(context.Background(), m.release, m.artifact, m.bundle)
	if err != nil || digest != m.digest {
		t.Fatalf("published %s, %v; want %s", digest, err, m.digest)
	}
}

// says fails the test unless an error says all of some texts.
func says(t testing.TB, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q; want one that says %q", err, text)
		}
	}
}

func TestTwoWhoReleaseTheSameGetTheSameDigest(t *testing.T) {
	a, b := newRelease(t, "shop", "1"), newRelease(t, "shop", "1")
	if a.digest != b.digest {
		t.Errorf("%s and %s", a.digest, b.digest)
	}
	objects := release.NewObjects(blobtest.NewMemory())
	publish(t, objects, a)
	publish(t, objects, b)
	if other := newRelease(t, "shop", "2"); other.digest == a.digest {
		t.Error("another toolchain gives the same digest")
	}
}

// document is a release's canonical form.
const document = `{"format":1,"program":"shop","environment":"prod","abi":1,` +
	`"artifact":{"digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111","size":7},` +
	`"binding":{"digest":"sha256:2222222222222222222222222222222222222222222222222222222222222222","size":8},` +
	`"toolchain":"tow 0.1.0","sourceHash":"3333333333333333333333333333333333333333333333333333333333333333",` +
	`"calls":{"pricing":"sha256:4444444444444444444444444444444444444444444444444444444444444444"}}`

func TestTheCanonicalForm(t *testing.T) {
	r, err := release.Decode([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Encode()
	if err != nil || string(again) != document {
		t.Errorf("%s, %v", again, err)
	}
	// What is deployed has this name for ever.
	const want = "sha256:0c1d942d25cce8"
	if digest, err := r.Digest(); err != nil || !strings.HasPrefix(string(digest), want) {
		t.Errorf("the digest is %s, %v; want %s…", digest, err, want)
	}
}

func TestWhatIsNoReleaseIsRefused(t *testing.T) {
	for _, test := range []struct{ old, new, says string }{
		{"{", " {", "not in canonical form"},
		{`"abi":1`, `"abi": 1`, "not in canonical form"},
		{`"abi":1`, `"abi":1,"abi":1`, "not in canonical form"},
		{`"abi":1`, `"ABI":1`, "not in canonical form"},
		{`"program":"shop","environment":"prod"`, `"environment":"prod","program":"shop"`, "not in canonical form"},
		{`"tow 0.1.0"`, `"tow \u0030.1.0"`, "not in canonical form"},
		{`"abi":1`, `"abi":1,"createdBy":"me"`, "unknown field"},
		{`"format":1`, `"format":2`, "use a later version of tow"},
		{`"format":1`, `"format":0`, "its format is 0"},
		{`"shop"`, `"Shop"`, "no program's name"},
		{`"prod"`, `"../prod"`, "cannot name an environment"},
		{`"abi":1`, `"abi":0`, "its ABI is 0"},
		{`"size":7`, `"size":0`, "its artifact has 0 bytes"},
		{`"size":8`, `"size":99999999`, "its binding has 99999999 bytes"},
		{`sha256:1111`, `sha256:111`, "is no digest"},
		{`sha256:2222`, `sha512:2222`, "is no digest"},
		{`"3333`, `"333G`, "the hash of its sources"},
		{`"pricing"`, `"pricing/"`, "its call of"},
		{`4444"`, `444"`, "is no digest"},
		{`"}}`, `"}}{}`, "behind the end"},
		{`{"format"`, `[{"format"`, "cannot be read"},
	} {
		text := strings.Replace(document, test.old, test.new, 1)
		_, err := release.Decode([]byte(text))
		says(t, err, test.says)
	}
	_, err := release.Decode(make([]byte, release.MaxRelease+1))
	says(t, err, "expected 65536 at most")
}

func TestAReleaseIsOfWhatItSays(t *testing.T) {
	_, err := release.New("staging", module(t, "shop", "1"), binding(), nil)
	says(t, err, "no file env/staging.toml")
	_, err = release.New("prod", []byte("no module"), binding(), nil)
	says(t, err, "not a WebAssembly module")

	objects := release.NewObjects(blobtest.NewMemory())
	a, b := newRelease(t, "shop", "1"), newRelease(t, "badges", "1")
	_, err = objects.Publish(t.Context(), a.release, b.artifact, a.bundle)
	says(t, err, "not of this artifact")
	swapped := *a.release
	swapped.Artifact = b.release.Artifact
	_, err = objects.Publish(t.Context(), &swapped, b.artifact, a.bundle)
	says(t, err, `the artifact is of the program "badges"`, "make the release again")
}

func TestDigests(t *testing.T) {
	d := release.DigestOf([]byte("x"))
	if back, err := release.ParseDigest(string(d)); err != nil || back != d {
		t.Errorf("%s, %v", back, err)
	}
	if d.Short() != "2d711642b726" || len(d.Hex()) != 64 {
		t.Errorf("short %s, hex %s", d.Short(), d.Hex())
	}
	for _, text := range []string{"", "sha256:", d.Hex(), strings.ToUpper(string(d)), string(d) + "0", string(d) + "\n"} {
		if _, err := release.ParseDigest(text); err == nil {
			t.Errorf("%q is taken for a digest", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(document))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := release.Decode(data)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil || string(again) != string(data) {
			t.Fatalf("%q is read, and written as %q, %v", data, again, err)
		}
	})
}
