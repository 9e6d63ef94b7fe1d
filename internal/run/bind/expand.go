package bind

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"towpath.dev/internal/settings"
)

// maxSecret bounds a file that a text refers to.
const maxSecret = 64 << 10

// expand stands ${env:NAME}, ${env:NAME:-default} and ${file:PATH} in a text for
// what they mean. Errors name the reference and never what it stands for.
func (e *Environment) expand(text string) (string, error) { return settings.Replace(text, e.refer) }

func (e *Environment) refer(r settings.Reference) (string, error) {
	if r.Kind == "env" {
		if value := os.Getenv(r.Name); value != "" {
			return value, nil
		}
		if r.HasDefault {
			return r.Default, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set; set it, or write `${env:%s:-default}`", r.Name, r.Name)
	}
	path := r.Name
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.Root, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxSecret {
		return "", fmt.Errorf("%s has %d bytes; at most %d can stand in a text", path, info.Size(), maxSecret)
	}
	text, err := os.ReadFile(path)
	return strings.TrimRight(string(text), "\r\n"), err
}
