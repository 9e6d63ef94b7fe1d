//go:build !solo

// What is shown before it is done is done when somebody agrees.

package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// agreed asks on a terminal whether to go on, unless that was said, and takes no answer for a no elsewhere. otherwise
// is what it says then.
func (u *ui) agreed(said bool, question, otherwise string) error {
	if said {
		return nil
	}
	if !u.inTerminal {
		return usage{errors.New(otherwise), ""}
	}
	fmt.Fprintf(u.err, "\n%s [y/N] ", question)
	line, err := bufio.NewReader(u.in).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	return wrong{errors.New("nothing was done")}
}

// agreedTo is agreed to what was shown just before.
func (u *ui) agreedTo(said bool) error {
	return u.agreed(said, "Do it?", "nothing was done: --yes does it, --dry-run only shows it")
}
