// tow import: declarations of services that exist already.

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"towpath.dev/internal/importer"
	"towpath.dev/internal/project"
)

func importCommand(u *ui) *cobra.Command {
	i := &importing{ui: u}
	c := &cobra.Command{
		Use:   "import KIND FILE",
		Short: "Declare services by an OpenAPI document or a .proto file",
		Long: `Write the types and services that a document describes as a module in Tow, and
the settings that bind each operation in an environment. KIND is one of

  openapi   an OpenAPI document, version 3.0 or 3.1, in YAML or JSON: what is asked
            by GET, and what is asked by POST and reads (marked x-tow-read: true, or
            called search, query, quote and the like); "-" reads the input
  proto     a .proto file, for gRPC and Connect: what has one request and one
            response and does not write, as its name says

--all imports what else is asked by POST, or seems to write. What the document
says and Tow cannot is reported, and became Json, or was left out.

The module goes to the output with its settings behind it as comments; with
--output to a file, and the settings to the output; with --env to a file of
their own.`,
		Example: "  tow import openapi shop.yaml\n  tow import openapi shop.json -o market/shop.tow --env env/shop.toml\n  tow import proto protos/pricing.proto --include protos -o market/pricing.tow",
		Args:    exactly("what to import, openapi or proto", "its file"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			for _, kind := range []string{"openapi", "proto"} {
				if strings.HasPrefix(kind, begun) {
					out = append(out, kind)
				}
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return i.run(args[0], args[1]) },
	}
	c.Flags().StringVarP(&i.output, "output", "o", "", "write the module to the `FILE`")
	c.Flags().StringVar(&i.env, "env", "", "write the settings to the `FILE`")
	c.Flags().BoolVar(&i.force, "force", false, "overwrite files that are there")
	c.Flags().BoolVar(&i.options.All, "all", false, "import also what may write")
	c.Flags().StringVar(&i.options.Service, "service", "", "put all operations into one service called `NAME`")
	c.Flags().StringArrayVar(&i.options.Include, "include", nil, "look for what a .proto file imports in the folder `DIR`, too")
	return c
}

// importing is one run of tow import.
type importing struct {
	*ui
	output, env string
	force       bool
	options     importer.Options
}

func (i *importing) run(kind, file string) error {
	mistake := func(format string, args ...any) error {
		return usage{fmt.Errorf(format, args...), "tow import"}
	}
	switch {
	case kind != "openapi" && kind != "proto":
		return mistake("tow import has no %q; there is \"openapi\" and \"proto\"", kind)
	case i.output != "" && filepath.Ext(i.output) != ".tow":
		return mistake("the file %s would be no module; its name ends with .tow", i.output)
	case len(i.options.Include) > 0 && kind == "openapi":
		return mistake("--include is for .proto files")
	}
	for _, path := range []string{i.output, i.env} {
		if err := i.mayWrite(path); err != nil {
			return err
		}
	}
	res, err := i.read(kind, file)
	if err != nil {
		return err
	}
	for _, w := range res.Warnings {
		fmt.Fprintf(i.err, "%s %s: %s\n", paint(i.errColor, bold, "warning:"), file, w)
	}
	return i.write(res)
}

// mayWrite refuses to overwrite a file that nobody said to.
func (i *importing) mayWrite(path string) error {
	if path == "" || i.force {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already; --force overwrites it", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (i *importing) read(kind, file string) (*importer.Result, error) {
	if kind == "proto" {
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
		i.options.Path = i.fromRoot(file)
		res, err := importer.Proto(file, i.options)
		if err != nil {
			return nil, wrong{err}
		}
		return res, nil
	}
	var text []byte
	var err error
	if file == "-" {
		file = "the input"
		text, err = io.ReadAll(i.in)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	res, err := importer.OpenAPI(file, text, i.options)
	if err != nil {
		return nil, wrong{err}
	}
	return res, nil
}

// fromRoot is a path as environments write it: from the folder of the project
// that the module is for, or as it is without one.
func (i *importing) fromRoot(path string) string {
	p, err := project.Find(filepath.Dir(i.output)) // "" is the current folder
	if err != nil {
		return filepath.ToSlash(path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	rel, err := filepath.Rel(p.Root, abs)
	if err != nil {
		return filepath.ToSlash(abs)
	}
	return filepath.ToSlash(rel)
}

func (i *importing) write(res *importer.Result) error {
	if i.env != "" {
		if err := writeNew(i.env, res.Env); err != nil {
			return err
		}
	}
	if i.output == "" {
		text := res.Tow
		if i.env == "" {
			text = append(text, commented(res.Env)...)
		}
		_, err := i.out.Write(text)
		return err
	}
	if err := writeNew(i.output, res.Tow); err != nil {
		return err
	}
	where := i.out
	if i.env == "" {
		if _, err := i.out.Write(res.Env); err != nil {
			return err
		}
		where = i.err // the settings may go into a file
	}
	fmt.Fprintf(where, "%s: %s, %s with %s\n", i.output, count(res.Types, "type"), count(res.Services, "service"), count(res.Operations, "operation"))
	return nil
}

// writeNew writes a file, and the folders that it lies in.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// commented is a text as comments at the end of a module.
func commented(text []byte) []byte {
	var b bytes.Buffer
	b.WriteByte('\n')
	for line := range bytes.Lines(text) {
		b.WriteString(strings.TrimRight("// "+string(line), " \n") + "\n")
	}
	return b.Bytes()
}
