// Reads: one key, and pages of keys at one revision.

package kv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// Get is part of towpath.v1.KeyValueService.
func (s *Service) Get(ctx context.Context, r *towpathv1.GetRequest) (*towpathv1.GetResponse, error) {
	if err := firstOf(checkNamespace("namespace", &r.Namespace), checkKey("key", r.Key), checkRevision("revision", r.Revision)); err != nil {
		return nil, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	page, err := s.store.Range(ctx, election.Span{Keys: election.Key(keyAt(r.Namespace, r.Key)), Revision: r.Revision})
	if err != nil {
		return nil, ofStore(ctx, err, false)
	}
	response := &towpathv1.GetResponse{Revision: page.Revision}
	if r.Revision != 0 {
		response.Revision = r.Revision
	}
	if len(page.Entries) > 0 {
		response.Entry = entryOf(page.Entries[0])
		return response, nil
	}
	return response, s.mustBeThere(ctx, r.Namespace, r.Revision)
}

// mustBeThere is an error if there is no namespace. What was at a revision of before
// is not judged by what there is now.
func (s *Service) mustBeThere(ctx context.Context, namespace string, revision int64) error {
	if revision != 0 {
		return nil
	}
	switch there, err := s.hasNamespace(ctx, namespace); {
	case err != nil:
		return ofStore(ctx, err, false)
	case !there:
		return noNamespace(namespace)
	}
	return nil
}

// List is part of towpath.v1.KeyValueService.
func (s *Service) List(ctx context.Context, r *towpathv1.ListRequest) (*towpathv1.ListResponse, error) {
	if err := firstOf(checkNamespace("namespace", &r.Namespace), checkPrefix("prefix", r.Prefix), checkRevision("revision", r.Revision)); err != nil {
		return nil, err
	}
	if r.Limit < 0 || r.Limit > maxList {
		return nil, invalid("limit", fmt.Sprintf("1 to %d, or 0 for %d", maxList, standardList), fmt.Sprint(r.Limit), "choose one of these and read page by page")
	}
	read := pager{
		store: s.store, keys: election.Prefix(keyAt(r.Namespace, r.Prefix)), keysOnly: r.KeysOnly,
		most: or(int(r.Limit), standardList), enough: maxListBytes, revision: r.Revision,
	}
	if r.Page != "" {
		at, err := readToken(r)
		if err != nil {
			return nil, err
		}
		read.revision, read.keys.First = at.revision, keyAt(r.Namespace, at.last)+"\x00"
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	response := &towpathv1.ListResponse{}
	for !read.done && read.bytes < read.enough {
		entries, err := read.next(ctx)
		if err != nil {
			return nil, ofStore(ctx, err, false)
		}
		for _, e := range entries {
			response.Entries = append(response.Entries, entryOf(e))
		}
	}
	response.Revision = read.revision
	if read.more {
		last := response.Entries[len(response.Entries)-1].Key
		response.NextPage = token{read.revision, last}.write(r)
	}
	if len(response.Entries) == 0 && r.Page == "" {
		return response, s.mustBeThere(ctx, r.Namespace, r.Revision)
	}
	return response, nil
}

// A token says where a page of a list begins: after the last key of the page before,
// at the revision of the first page. It carries a check of what was listed, since the
// page of another list would be wrong without a word. It is no secret and grants
// nothing.
type token struct {
	revision int64
	last     string
}

const tokenCheck = 8 // bytes

func (t token) write(r *towpathv1.ListRequest) string {
	text := binary.AppendUvarint(t.check(r), uint64(t.revision))
	return base64.RawURLEncoding.EncodeToString(append(text, t.last...))
}

func (t token) check(r *towpathv1.ListRequest) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %d %q", r.Namespace, r.Prefix, r.KeysOnly, t.revision, t.last))
	return sum[:tokenCheck]
}

func readToken(r *towpathv1.ListRequest) (token, error) {
	wrong := invalid("page", "the next_page of a response to the same namespace, prefix and keys_only", short(r.Page), "begin again without page")
	text, err := base64.RawURLEncoding.DecodeString(r.Page)
	if err != nil || len(text) < tokenCheck {
		return token{}, wrong
	}
	revision, size := binary.Uvarint(text[tokenCheck:])
	if size <= 0 || revision == 0 || int64(revision) < 0 {
		return token{}, wrong
	}
	t := token{int64(revision), string(text[tokenCheck+size:])}
	if !bytes.Equal(t.check(r), text[:tokenCheck]) || !strings.HasPrefix(t.last, r.Prefix) {
		return token{}, wrong
	}
	if r.Revision != 0 && r.Revision != t.revision {
		return token{}, refuse(connect.CodeInvalidArgument, "revision: the page is of a list at %d, found %d; leave revision out with page", t.revision, r.Revision)
	}
	return t, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
