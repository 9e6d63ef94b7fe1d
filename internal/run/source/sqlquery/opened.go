// What PostgreSQL's client reads beside the settings: passwords, services and
// certificates may be said in files, which the url names, the variables PG… or nobody.

package sqlquery

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"towpath.dev/internal/run/source"
)

// openedOf is the sum of what connections are made with. Certificates of our own are
// not in it: pgconn reads them anew for each connection.
func openedOf(c *pgconn.Config, authority []byte) [sha256.Size]byte {
	parts := [][]byte{authority, fmt.Appendf(nil, "%q %d %q %q %q %q", c.Host, c.Port, c.Database, c.User, c.Password, c.RuntimeParams)}
	for _, f := range c.Fallbacks {
		parts = append(parts, fmt.Appendf(nil, "%q %d", f.Host, f.Port))
	}
	return source.Sum(parts...)
}

var rootCert = regexp.MustCompile(`\bsslrootcert=('[^']*'|[^&\s]*)`)

// authorityOf are the certificates that a server's is checked against; nil where the
// system's are, or where they cannot be read: pgconn says so.
func authorityOf(text string) []byte {
	path := os.Getenv("PGSSLROOTCERT")
	if home, err := os.UserHomeDir(); path == "" && err == nil {
		path = filepath.Join(home, ".postgresql", "root.crt")
	}
	if m := rootCert.FindStringSubmatch(text); m != nil {
		path = strings.Trim(m[1], "'")
		if plain, err := url.QueryUnescape(path); err == nil {
			path = plain
		}
	}
	certificates, _ := os.ReadFile(path)
	return certificates
}
