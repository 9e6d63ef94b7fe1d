// Reading many keys without holding many values at once.

package kv

import (
	"context"

	"towpath.dev/election"
)

// A pager reads keys at one revision, in pieces of about as many bytes as are enough.
// Values may have half a MiB each, and the store bounds entries, not bytes; so it asks
// for few at first, and then for as many as the mean so far suggests.
type pager struct {
	store interface {
		Range(context.Context, election.Span) (election.Page, error)
	}
	keys     election.Keys
	keysOnly bool
	most     int // entries to read in all; 0: all of them
	enough   int // bytes of a piece

	revision int64 // 0: now, until the first piece says
	done     bool  // there is nothing left, or most have been read
	more     bool  // there are keys after those read

	count, bytes int // read so far
}

const firstPiece = 32 // entries: with the largest values, 16 MiB

// next is the next piece.
func (p *pager) next(ctx context.Context) ([]election.Entry, error) {
	limit := firstPiece
	if p.keysOnly {
		limit = maxList
	} else if p.count > 0 {
		limit = max(1, min(maxList, p.enough/(p.bytes/p.count+1)))
	}
	if p.most > 0 {
		limit = min(limit, p.most-p.count)
	}
	page, err := p.store.Range(ctx, election.Span{Keys: p.keys, Limit: limit, Revision: p.revision, KeysOnly: p.keysOnly})
	if err != nil {
		return nil, err
	}
	if p.revision == 0 {
		p.revision = page.Revision
	}
	for _, e := range page.Entries {
		p.bytes += len(e.Key) + len(e.Value)
	}
	p.count += len(page.Entries)
	p.more = page.More
	if n := len(page.Entries); n > 0 {
		p.keys.First = page.Entries[n-1].Key + "\x00"
	}
	p.done = !p.more || p.most > 0 && p.count >= p.most
	return page.Entries, nil
}
