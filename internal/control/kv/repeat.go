// Writes that are sent again.

package kv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// A repeat is what makes a write one that may be sent again: its Idempotency-Key. What
// it answered is kept in the transaction that wrote, so that there is no moment at
// which one is there without the other.
type repeat struct {
	key     string
	at      string // the record's key in the store
	request [sha256.Size]byte
}

const (
	repeatHeader = "Idempotency-Key"
	// replayHeader on a response says that it is the first one's.
	replayHeader = "Idempotency-Replayed"
	// repeatFor is how many seconds an answer is kept.
	repeatFor = 24 * 60 * 60
)

// repeatOf is the repeat of a call; nil without the header.
func (s *Service) repeatOf(ctx context.Context, procedure string, request proto.Message) (*repeat, error) {
	call, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok || call.RequestHeader().Get(repeatHeader) == "" {
		return nil, nil
	}
	key := call.RequestHeader().Get(repeatHeader)
	if len(key) > maxRepeatKey || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return nil, invalid("the header "+repeatHeader, fmt.Sprintf("1 to %d visible characters of ASCII", maxRepeatKey), short(key), "make one up at random for each write, for example a UUID")
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, refuse(connect.CodeInternal, "%w", err)
	}
	return &repeat{
		key:     key,
		at:      repeatsAt + hash(s.caller(ctx)) + "/" + hash(key),
		request: sha256.Sum256(append([]byte(procedure+" "), text...)),
	}, nil
}

// hash stands for text of any length in a key of the store.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// repeatsOf is the caller's hash in a record's key.
func repeatsOf(at string) string {
	caller, _, _ := strings.Cut(strings.TrimPrefix(at, repeatsAt), "/")
	return caller
}

// answered is what a write answered that was sent before; nil if none was, and a new
// one may come.
func (s *Service) answered(ctx context.Context, r *repeat) (*towpathv1.TxnResponse, error) {
	page, err := s.store.Range(ctx, election.Span{Keys: election.Key(r.at)})
	if err != nil {
		return nil, ofStore(ctx, err, true) // the one before may have written
	}
	if len(page.Entries) > 0 {
		return r.answer(ctx, page.Entries[0])
	}
	if kept := s.census.repeatsKept(repeatsOf(r.at)); kept >= maxRepeats {
		return nil, refuse(connect.CodeResourceExhausted, "%s has sent writes under %d Idempotency-Keys within a day, and may under %d: send this without one, or compare-and-swap, which is safe to send again too", callerName(s.caller(ctx)), kept, maxRepeats)
	}
	return nil, nil
}

// record is what is kept of an answer: the request's hash, and the answer but for its
// revision, which is the record's own.
func (r *repeat) record(answer *towpathv1.TxnResponse) ([]byte, error) {
	text, err := proto.Marshal(answer)
	if err != nil {
		return nil, refuse(connect.CodeInternal, "%w", err)
	}
	if len(text) > maxAnswer {
		return nil, invalid("the answer", fmt.Sprintf("at most %d bytes under an Idempotency-Key, since it is kept", maxAnswer), fmt.Sprint(len(text)), "leave gets out, or the header")
	}
	return append(r.request[:], text...), nil
}

// answer is what a record says.
func (r *repeat) answer(ctx context.Context, record election.Entry) (*towpathv1.TxnResponse, error) {
	request, ok := bytes.CutPrefix(record.Value, r.request[:])
	if !ok {
		return nil, refuse(connect.CodeFailedPrecondition, "the header %s: %s was sent with another request at revision %d; make up a key of its own for each write, and repeat only what is the same", repeatHeader, short(r.key), record.Modified)
	}
	response := &towpathv1.TxnResponse{}
	if err := proto.Unmarshal(request, response); err != nil {
		return nil, refuse(connect.CodeInternal, "what is kept of the first answer cannot be read: %w", err)
	}
	response.Revision = record.Modified
	if call, ok := connect.CallInfoForHandlerContext(ctx); ok {
		call.ResponseHeader().Set(replayHeader, "true")
	}
	return response, nil
}
