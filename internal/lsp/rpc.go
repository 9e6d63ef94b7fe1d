// JSON-RPC 2.0 as the protocol frames it: headers, an empty line, the message.

package lsp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// message is a request (with an ID), a notification (without) or a response.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result"`
}

type errorResponse struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *responseError  `json:"error"`
}

type notification struct {
	Version string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

// responseError is why a request has no result.
type responseError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *responseError) Error() string { return e.Message }

// The codes of JSON-RPC, and the protocol's own for what else fails.
const (
	parseError     = -32700
	invalidRequest = -32600
	methodNotFound = -32601
	invalidParams  = -32602
	requestFailed  = -32803
)

// received is a message, or why it cannot be read, or why there are no more.
type received struct {
	message message
	broken  *responseError // what came is no message; the next one may be
	err     error
}

// read sends messages on until the stream ends or nobody takes them.
func read(in io.Reader, to chan<- received, stopped <-chan struct{}) {
	b := bufio.NewReader(in)
	for {
		var next received
		text, err := readFrame(b)
		if err != nil {
			next.err = err
		} else if err := json.Unmarshal(text, &next.message); err != nil {
			next.broken = &responseError{parseError, "a message that is no JSON: " + err.Error()}
		}
		select {
		case to <- next:
		case <-stopped:
			return
		}
		if next.err != nil {
			return
		}
	}
}

// maxMessage bounds a message; editors send whole documents.
const maxMessage = 64 << 20

// readFrame reads one message's text.
func readFrame(b *bufio.Reader) ([]byte, error) {
	length := -1
	for {
		line, err := b.ReadString('\n')
		if err == io.EOF && line == "" && length < 0 {
			return nil, io.EOF
		}
		if err != nil {
			return nil, fmt.Errorf("the headers of a message: %w", err)
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return nil, fmt.Errorf("the header %q: %w", line, err)
			}
		}
	}
	if length < 0 || length > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	text := make([]byte, length)
	_, err := io.ReadFull(b, text)
	return text, err
}

// send writes a message.
func (s *server) send(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Content-Length: %d\r\n\r\n%s", len(text), text)
	return err
}

// respond answers a request.
func (s *server) respond(to *message, result any, err error) error {
	if err == nil {
		return s.send(response{"2.0", to.ID, result})
	}
	var refused *responseError
	if !errors.As(err, &refused) {
		refused = &responseError{Code: requestFailed, Message: err.Error()}
	}
	return s.send(errorResponse{"2.0", to.ID, refused})
}

// notify tells the editor something.
func (s *server) notify(method string, params any) error {
	return s.send(notification{"2.0", method, params})
}
