package diag

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed pages/*.md
var pages embed.FS

// Explanation is the page of a code, which `tow explain CODE` prints:
//
//	# TW0122: `=` instead of `==`
//
//	Why, in plain words.
//
//	```tow fail
//	code that is refused with TW0122
//	```
//
//	```tow
//	code that is accepted
//	```
//
// An example of several modules parts them by lines `-- path.tow --`.
type Explanation struct {
	Code  Code
	Title string
	Bad   []string // the examples that give the code
	Good  []string // the examples that give nothing
}

// Page is the text of a code's page, in Markdown.
func Page(code Code) (string, bool) {
	text, err := pages.ReadFile("pages/" + string(code) + ".md")
	return string(text), err == nil
}

// Codes are all codes that have a page, in order.
func Codes() []Code {
	names, err := fs.Glob(pages, "pages/TW*.md")
	if err != nil {
		return nil // the pattern is constant and well formed
	}
	codes := make([]Code, len(names))
	for i, name := range names {
		codes[i] = Code(strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".md"))
	}
	slices.Sort(codes)
	return codes
}

// Explain reads a code's page into its parts. It fails when there is none or
// it has not the form that Explanation shows.
func Explain(code Code) (*Explanation, error) {
	text, ok := Page(code)
	if !ok {
		return nil, fmt.Errorf("no page explains %s", code)
	}
	first, rest, _ := strings.Cut(text, "\n")
	title, ok := strings.CutPrefix(first, "# "+string(code)+": ")
	if !ok || title == "" {
		return nil, fmt.Errorf("the page of %s begins with %q, not with its code and title", code, first)
	}
	e := &Explanation{Code: code, Title: title}
	var block *[]string
	var lines []string
	for _, line := range strings.Split(rest, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case block == nil && isFence && fence == "tow fail":
			block = &e.Bad
		case block == nil && isFence && fence == "tow":
			block = &e.Good
		case block == nil && isFence:
			return nil, fmt.Errorf("the page of %s has a block of %q", code, fence)
		case isFence:
			*block = append(*block, strings.Join(lines, "\n")+"\n")
			block, lines = nil, nil
		case block != nil:
			lines = append(lines, line)
		}
	}
	switch {
	case block != nil:
		return nil, fmt.Errorf("the page of %s has a block that does not end", code)
	case len(e.Bad) == 0 || len(e.Good) == 0:
		return nil, fmt.Errorf("the page of %s needs an example that fails and one that does not", code)
	}
	return e, nil
}
