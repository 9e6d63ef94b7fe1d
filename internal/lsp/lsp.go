// Package lsp serves editors by the language server protocol, version 3.17.
//
// Words used throughout. A document is a file that the editor has open; its text
// counts instead of the disk's. A workspace is a project with the documents in
// it, checked as a whole whenever one of them has changed and somebody wants to
// know. Places in the protocol are lines and UTF-16 units, counted from 0;
// everywhere else they are byte offsets of a span.File.
//
//	err := lsp.Serve(ctx, os.Stdin, os.Stdout) // until the editor says exit
//
// Of the protocol, only the few messages that are served are declared here
// (protocol.go), and the framing is forty lines (rpc.go): that is less than it
// would take to fit a library of it all.
package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"towpath.dev/internal/lang/compile"
)

// Serve serves one editor until it says exit, its messages end or the context
// does. The error is that of the streams, or that the editor left without
// saying shutdown first.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	s := &server{out: out, documents: map[string]*document{}, workspaces: map[string]*workspace{}}
	incoming := make(chan received)
	stopped := make(chan struct{})
	defer close(stopped)
	// The reader ends when the stream does; one that is blocked in a read when
	// Serve returns is left to the end of the process, which owns the stream.
	go read(in, incoming, stopped)
	for {
		var next received
		select {
		case next = <-incoming:
		default:
			// Nothing is waiting: a good time to check what has changed.
			if err := s.publish(); err != nil {
				return err
			}
			select {
			case next = <-incoming:
			case <-ctx.Done():
				return nil
			}
		}
		if errors.Is(next.err, io.EOF) {
			return nil
		}
		if next.err != nil {
			return next.err
		}
		if next.broken != nil {
			if err := s.send(errorResponse{"2.0", json.RawMessage("null"), next.broken}); err != nil {
				return err
			}
			continue
		}
		if next.message.Method == "exit" {
			if !s.closing {
				return errors.New("the editor left without saying shutdown")
			}
			return nil
		}
		if err := s.handle(&next.message); err != nil {
			return err
		}
	}
}

// server is the state of one editor's session. One goroutine owns it.
type server struct {
	out        io.Writer
	documents  map[string]*document  // by URI
	workspaces map[string]*workspace // by root
	closing    bool                  // shutdown was said
	showsStd   bool                  // the editor can open the standard library's sources
}

// handlers answer requests, by method. A handler's params are decoded by it.
var handlers = map[string]func(*server, json.RawMessage) (any, error){
	"initialize":                  handler((*server).initialize),
	"shutdown":                    handler((*server).shutdown),
	"textDocument/hover":          handler((*server).hover),
	"textDocument/definition":     handler((*server).definition),
	"textDocument/references":     handler((*server).references),
	"textDocument/completion":     handler((*server).completion),
	"textDocument/formatting":     handler((*server).formatting),
	"textDocument/documentSymbol": handler((*server).symbols),
	"textDocument/prepareRename":  handler((*server).prepareRename),
	"textDocument/rename":         handler((*server).rename),
	"textDocument/codeAction":     handler((*server).codeActions),
	"tow/source":                  handler((*server).source),
}

// listeners hear notifications, by method.
var listeners = map[string]func(*server, json.RawMessage) (any, error){
	"textDocument/didOpen":            handler((*server).didOpen),
	"textDocument/didChange":          handler((*server).didChange),
	"textDocument/didClose":           handler((*server).didClose),
	"textDocument/didSave":            handler((*server).didSave),
	"workspace/didChangeWatchedFiles": handler((*server).didChangeFiles),
}

// handler makes a handler of a method with its own parameters.
func handler[P any](f func(*server, P) (any, error)) func(*server, json.RawMessage) (any, error) {
	return func(s *server, params json.RawMessage) (any, error) {
		var p P
		if len(params) > 0 {
			if err := json.Unmarshal(params, &p); err != nil {
				return nil, &responseError{Code: invalidParams, Message: err.Error()}
			}
		}
		return f(s, p)
	}
}

// handle answers a request or hears a notification. Its error is that of the
// stream.
func (s *server) handle(m *message) error {
	if m.ID == nil {
		if listen, ok := listeners[m.Method]; ok && !s.closing {
			_, err := listen(s, m.Params)
			var refused *responseError
			if errors.As(err, &refused) {
				return nil // nobody waits for it
			}
			return err
		}
		return nil
	}
	if m.Method == "" {
		return nil // a response, and we asked for none
	}
	answer, known := handlers[m.Method]
	if !known {
		return s.respond(m, nil, &responseError{Code: methodNotFound, Message: fmt.Sprintf("%s is not served here", m.Method)})
	}
	if s.closing {
		return s.respond(m, nil, &responseError{Code: invalidRequest, Message: "the server is shutting down"})
	}
	result, err := answer(s, m.Params)
	return s.respond(m, result, err)
}

func (s *server) initialize(p initializeParams) (any, error) {
	s.showsStd = p.InitializationOptions.StandardLibrary
	return initializeResult{
		ServerInfo: serverInfo{Name: "tow", Version: compile.Toolchain},
		Capabilities: capabilities{
			PositionEncoding:           "utf-16",
			TextDocumentSync:           syncOptions{OpenClose: true, Change: syncFull, Save: true},
			HoverProvider:              true,
			DefinitionProvider:         true,
			ReferencesProvider:         true,
			DocumentFormattingProvider: true,
			DocumentSymbolProvider:     true,
			RenameProvider:             renameOptions{PrepareProvider: true},
			CodeActionProvider:         codeActionOptions{CodeActionKinds: []string{quickFix}},
			CompletionProvider:         completionOptions{TriggerCharacters: []string{".", ">", "{"}},
		},
	}, nil
}

func (s *server) shutdown(struct{}) (any, error) {
	s.closing = true
	return nil, nil
}
