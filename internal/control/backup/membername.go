package backup

import (
	"encoding/hex"
	"errors"
	"strings"

	"towpath.dev/internal/blob"
)

// ErrNotNoted is wrapped by the error of a restore whose member is there, and nothing lacks but
// the note of it beside the backups.
var ErrNotNoted = errors.New("could not be noted")

// hexed begins what stands for the name of a member that no object can have, as etcd's members
// may be called as one likes.
const hexed = "0x"

// ofMember is a member's name as the last part of an object's.
func ofMember(name string) string {
	if blob.CheckName(name) == nil && !strings.Contains(name, "/") && !strings.HasPrefix(name, hexed) {
		return name
	}
	return hexed + hex.EncodeToString([]byte(name))
}

// memberOf is the member of such a name.
func memberOf(part string) string {
	if digits, is := strings.CutPrefix(part, hexed); is {
		if name, err := hex.DecodeString(digits); err == nil {
			return string(name)
		}
	}
	return part
}
