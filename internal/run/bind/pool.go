package bind

import (
	"crypto/sha256"
	"sync"

	"towpath.dev/internal/run/source"
)

// Pool is open sources that several Bindings ask, see [Options]. The zero value is
// empty.
//
// Bindings get one and the same source where it has the same name in their
// environments and its settings say the same: all texts as they are once references
// are expanded, and the files that it reads, such as certificates and what a .proto
// file imports. So releases of a program beside each other ask by the same
// connections, and stay within the same bound of them. A secret or a certificate that
// was replaced makes another source, and leaves all others as they are. Under two
// names sources of one environment are two, as whoever separates them means it.
//
// It holds no secrets, only a SHA-256 of what was said.
type Pool struct {
	mu   sync.Mutex
	open map[identity]*lent
}

// identity is the SHA-256 of what a source was opened with.
type identity [sha256.Size]byte

// lent is a source of a Pool. It is closed with the last who uses it.
type lent struct {
	source.Source
	pool  *Pool
	as    identity
	users int // pool.mu guards it
}

// lend gives the source that is open already, and closes the fresh one, which has
// connected to nothing; or it keeps the fresh one for others.
func (p *Pool) lend(as identity, fresh source.Source) source.Source {
	p.mu.Lock()
	l := p.open[as]
	if l == nil {
		l = &lent{Source: fresh, pool: p, as: as}
		if p.open == nil {
			p.open = map[identity]*lent{}
		}
		p.open[as] = l
	}
	l.users++
	p.mu.Unlock()
	if l.Source != fresh {
		_ = fresh.Close() // nothing was done with it that could fail
	}
	return l
}

// Close gives the source back.
func (l *lent) Close() error {
	l.pool.mu.Lock()
	l.users--
	last := l.users == 0
	if last {
		delete(l.pool.open, l.as)
	}
	l.pool.mu.Unlock()
	if !last {
		return nil
	}
	return l.Source.Close()
}
