// Opening a store by its URL.

package blob

import (
	"fmt"
	"net/url"
	"strings"
)

// Options are what a store's URL does not say. The zero value works.
type Options struct{}

// Open opens the store at a URL, or the folder at a path. It asks nothing of the network;
// [Probe] does.
//
//	/var/backups                    file:///var/backups
func Open(where string, _ Options) (Store, error) {
	scheme, _, found := strings.Cut(where, "://")
	if !found {
		return openFolder(where)
	}
	at, err := url.Parse(where)
	if err != nil || scheme != "file" {
		return nil, fmt.Errorf("the store's URL %q: expected file:///PATH or a path", where)
	}
	return openFolder(at.Path)
}
