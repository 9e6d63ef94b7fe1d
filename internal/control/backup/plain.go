package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

// ErrPlain is wrapped by the error of an uploader that was to write in the clear where what is
// there is encrypted: whoever forgot the recipients has not decided that everybody may read it.
var ErrPlain = errors.New("the backup is encrypted, and would go on in the clear, for everybody who can read the store")

// staysEncrypted refuses to go on in the clear behind a base that is encrypted. A generation
// without a base goes on from the one before.
func staysEncrypted(ctx context.Context, o Options, at place) error {
	if len(o.Recipients) > 0 || o.Plain {
		return nil
	}
	for g := int64(at.generation); g >= 0; g-- {
		s := newShelf(o.Store, place{at.cluster, uint64(g)})
		m, some, err := s.newestBase(ctx)
		if err != nil {
			return fmt.Errorf("whether the backup of %s is encrypted cannot be told: %w", o.Cluster, err)
		}
		if !some {
			continue
		}
		if !m.Encrypted {
			return nil
		}
		who := "the base of revision %d of %s does not say for whom: name the recipients that it was made with, with --recipient or \"recipients\" in the file"
		args := []any{ErrPlain, m.Revision, o.Cluster}
		if len(m.Recipients) > 0 {
			who = "the base of revision %d of %s is for %s: name them, or those who are to read it from now on, with --recipient or \"recipients\" in the file"
			args = append(args, strings.Join(m.Recipients, ", "))
		}
		return fmt.Errorf("%w: "+who+"; --plain, or plain = true, writes it in the clear", args...)
	}
	return nil
}

// wasPlain asks before anybody is elected, so that who only stands ready hears of it too. What
// cannot be found out now is asked again by who is elected.
func wasPlain(ctx context.Context, o Options) error {
	latest, err := (&generations{o.Store, o.Cluster}).progress(ctx)
	if err == nil {
		err = staysEncrypted(ctx, o, place{o.Cluster, latest.Number})
	}
	if errors.Is(err, ErrPlain) {
		return err
	}
	return nil
}

// recipientTexts are recipients as age's tools write them; nil unless all can be written.
func recipientTexts(recipients []age.Recipient) (texts []string) {
	for _, r := range recipients {
		text, can := r.(fmt.Stringer)
		if !can {
			return nil
		}
		texts = append(texts, text.String())
	}
	return texts
}
