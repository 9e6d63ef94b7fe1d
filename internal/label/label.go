// Package label says what may name a thing of a cluster: an environment, a node, a cell, a
// region, a principal. It is a label of DNS (RFC 1123), so that names can be parts of keys, files,
// addresses and metrics, and none of them has a character that ends such a part.
//
//	label.Valid("eu-1") // true
//	label.Valid("eu/1") // false
package label

import "regexp"

// Expected is what a name has to be, for a person.
const Expected = "1 to 63 small letters, digits and dashes, with a letter or digit at both ends, as in eu-1"

var form = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Valid reports whether a name is a label.
func Valid(name string) bool { return form.MatchString(name) }
