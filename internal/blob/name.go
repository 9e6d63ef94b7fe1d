// Names of objects.

package blob

import (
	"fmt"
	"strings"
)

// The lengths that every store takes: S3 has keys of 1024 bytes, a bucket's prefix
// included, and file systems have names of 255.
const (
	longestName = 768 // bytes
	longestPart = 255
)

// CheckName says what is wrong with an object's name. It has parts with slashes between,
// of lower-case letters, digits, '.', '_' and '-', which begin with a letter or a digit.
// So it means one object everywhere: in file systems that do not tell case, and in those
// that keep files of their own whose names begin with a dot. What is wrong is ErrRefused.
func CheckName(name string) error {
	if len(name) > longestName {
		return refuse("the name %q… of an object has %d bytes: expected %d at most", name[:40], len(name), longestName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if wrong := checkPart(part); wrong != "" {
			return refuse("the name %q of an object has %s", name, wrong)
		}
	}
	return nil
}

// checkPart says what is wrong with a part of a name, "" for nothing.
func checkPart(part string) string {
	if part == "" {
		return "an empty part: expected letters between slashes, and none at either end"
	}
	if len(part) > longestPart {
		return fmt.Sprintf("a part of %d bytes: expected %d at most", len(part), longestPart)
	}
	for i, c := range part {
		alphanumeric := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alphanumeric && !strings.ContainsRune("._-", c) {
			return fmt.Sprintf("%q in it: expected lower-case letters, digits, '.', '_' and '-'", string(c))
		}
		if i == 0 && !alphanumeric {
			return fmt.Sprintf("the part %q: expected a letter or a digit at its beginning", part)
		}
	}
	return ""
}
