//go:build !unix && !solo

package main

import "errors"

// replaceProcess cannot do here what it does elsewhere.
func replaceProcess(string, []string, []string) error { return errors.ErrUnsupported }
