package bind

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret bounds a file that a text refers to.
const maxSecret = 64 << 10

// expand stands ${env:NAME}, ${env:NAME:-default} and ${file:PATH} in a text for
// what they mean. Errors name the reference and never what it stands for.
func (e *Environment) expand(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		reference, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("a reference begins with `${` and never ends: expected `${env:NAME}` or `${file:PATH}`")
		}
		value, err := e.refer(reference)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

func (e *Environment) refer(reference string) (string, error) {
	kind, what, _ := strings.Cut(reference, ":")
	switch {
	case kind == "env" && what != "":
		name, def, hasDefault := strings.Cut(what, ":-")
		if value := os.Getenv(name); value != "" {
			return value, nil
		}
		if hasDefault {
			return def, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set; set it, or write `${env:%s:-default}`", name, name)
	case kind == "file" && what != "":
		if !filepath.IsAbs(what) {
			what = filepath.Join(e.Root, what)
		}
		info, err := os.Stat(what)
		if err != nil {
			return "", err
		}
		if info.Size() > maxSecret {
			return "", fmt.Errorf("%s has %d bytes; at most %d can stand in a text", what, info.Size(), maxSecret)
		}
		text, err := os.ReadFile(what)
		return strings.TrimRight(string(text), "\r\n"), err
	}
	return "", fmt.Errorf("`${%s}` refers to nothing: expected `${env:NAME}` or `${file:PATH}`", reference)
}
