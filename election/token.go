package election

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A Token is a fencing token: of two holders of one seat, the later one has the
// greater token, across resigns, crashes and restores of the store. What a leader
// writes to should remember the greatest token it has seen, and refuse lesser ones.
//
// The idea is in Kleppmann, "How to do distributed locking", 2016, and in Burrows,
// "The Chubby lock service", OSDI 2006, section 2.4, as sequencers.
type Token struct {
	// Generation counts the restores of the store; see [Registry].
	Generation uint64
	// Revision of the store at which the seat was acquired.
	Revision int64
}

// Compare is negative when t is older than u, 0 when they are equal, and positive
// when it is newer.
func (t Token) Compare(u Token) int {
	return cmp.Or(cmp.Compare(t.Generation, u.Generation), cmp.Compare(t.Revision, u.Revision))
}

// String is the token as GENERATION.REVISION, which ParseToken reads.
func (t Token) String() string { return fmt.Sprintf("%d.%d", t.Generation, t.Revision) }

// ParseToken reads what String writes, and nothing else.
func ParseToken(text string) (Token, error) {
	generation, revision, ok := strings.Cut(text, ".")
	g, errG := strconv.ParseUint(generation, 10, 64)
	r, errR := strconv.ParseInt(revision, 10, 64)
	token := Token{g, r}
	if !ok || errG != nil || errR != nil || r < 0 || token.String() != text {
		return Token{}, fmt.Errorf("%q is no fencing token: expected GENERATION.REVISION, as in 1.4711", text)
	}
	return token, nil
}
