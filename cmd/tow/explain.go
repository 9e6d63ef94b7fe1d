// tow explain: the page of a mistake's code.

package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/diag"
)

func explainCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain the code of a mistake",
		Long: `Print the page of a code that "tow check" reports: what the mistake is, why it
is one, an example that has it and one that does not. Without a code, list all.`,
		Example: "  tow explain TW0301\n  tow explain 301",
		Args:    atMost(1, "one code"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var out []cobra.Completion
			for _, code := range diag.Codes() {
				out = append(out, cobra.CompletionWithDesc(string(code), titleOf(code)))
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, code := range diag.Codes() {
					fmt.Fprintf(u.out, "%s  %s\n", paint(u.outColor, bold, string(code)), titleOf(code))
				}
				return nil
			}
			code := toCode(args[0])
			page, ok := diag.Page(code)
			if !ok {
				return unknownCode(args[0], code)
			}
			renderPage(u, page)
			return nil
		},
	}
}

func titleOf(code diag.Code) string {
	page, _ := diag.Page(code)
	title, _, _ := strings.Cut(page, "\n")
	return strings.TrimPrefix(title, "# "+string(code)+": ")
}

// toCode completes what a person types: "301", "tw301".
func toCode(s string) diag.Code {
	digits := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), "TW")
	if len(digits) < 4 {
		digits = strings.Repeat("0", 4-len(digits)) + digits
	}
	return diag.Code("TW" + digits)
}

// unknownCode names the codes that are spelled nearly so, or come near it.
func unknownCode(typed string, code diag.Code) error {
	codes := diag.Codes()
	sort.SliceStable(codes, func(i, j int) bool { return unlike(codes[i], code) < unlike(codes[j], code) })
	var near []string
	for _, c := range codes[:min(3, len(codes))] {
		if unlike(c, code) <= 2 {
			near = append(near, fmt.Sprintf("  %s  %s", c, titleOf(c)))
		}
	}
	message := fmt.Sprintf("there is no code %s; \"tow explain\" lists all codes", typed)
	if len(near) > 0 {
		message += "\nNear it are\n\n" + strings.Join(near, "\n") + "\n"
	}
	return usage{fmt.Errorf("%s", message), "tow explain"}
}

// unlike counts the characters in which two codes differ.
func unlike(a, b diag.Code) int {
	n := max(len(a), len(b)) - min(len(a), len(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// renderPage shows a page's Markdown on a terminal: a heading, paragraphs, and
// examples that are accepted or refused.
func renderPage(u *ui, page string) {
	inCode := false
	for _, line := range strings.Split(strings.TrimRight(page, "\n"), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && inCode:
			inCode = false
		case isFence:
			inCode = true
			label, style := "Accepted:", green
			if strings.Contains(fence, "fail") {
				label, style = "Refused:", red
			}
			fmt.Fprintf(u.out, "%s\n\n", paint(u.outColor, style, label))
		case inCode:
			fmt.Fprintln(u.out, strings.TrimRight("    "+paint(u.outColor && line != "", cyan, line), " "))
		case strings.HasPrefix(line, "# "):
			fmt.Fprintln(u.out, paint(u.outColor, bold, strings.TrimPrefix(line, "# ")))
		default:
			fmt.Fprintln(u.out, inlineCode(u.outColor, line))
		}
	}
}

// inlineCode paints what stands between backquotes, and keeps them where there
// is no colour.
func inlineCode(color bool, line string) string {
	if !color {
		return line
	}
	parts := strings.Split(line, "`")
	for i := 1; i < len(parts); i += 2 {
		if i < len(parts)-1 {
			parts[i] = paint(true, cyan, parts[i])
		} else {
			parts[i] = "`" + parts[i]
		}
	}
	return strings.Join(parts, "")
}
