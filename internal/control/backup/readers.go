package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"towpath.dev/internal/control/backup/catalog"
)

// ErrPlain is wrapped by the error of an uploader that was to write in the clear where what is
// there is encrypted: whoever forgot the recipients has not decided that everybody may read it.
var ErrPlain = errors.New("the backup is encrypted, and would go on in the clear, for everybody who can read the store")

// ErrDropped is wrapped by the error of an uploader that was to write what somebody could not read who
// reads what is there. A key for restores that drops out of a backup is missed on the day of the restore.
var ErrDropped = errors.New("the backup would go on without a key that reads it")

// isForReaders says whether an error is that a person has to say who is to read a backup.
func isForReaders(err error) bool { return errors.Is(err, ErrPlain) || errors.Is(err, ErrDropped) }

// keepsReaders refuses to go on in the clear behind a base that is encrypted, or without one of those
// who can read it. A generation without a base goes on from the one before.
func keepsReaders(ctx context.Context, o Options, at place) error {
	if len(o.Recipients) == 0 && o.Plain {
		return nil
	}
	for g := int64(at.generation); g >= 0; g-- {
		s := newShelf(o.Store, place{at.cluster, uint64(g)})
		m, some, err := s.newestBase(ctx)
		if err != nil {
			return fmt.Errorf("who can read the backup of %s cannot be told: %w", o.Cluster, err)
		}
		switch {
		case !some:
			continue
		case !m.Encrypted:
			return nil
		case len(o.Recipients) == 0:
			return refusePlain(o, m)
		}
		if gone := dropped(o, m); len(gone) > 0 {
			return refuseDropped(o, m, gone)
		}
		return nil
	}
	return nil
}

func refusePlain(o Options, m Manifest) error {
	who := "the base of revision %d of %s does not say for whom: name the recipients that it was made with, with --recipient or \"recipients\" in the file"
	args := []any{ErrPlain, m.Revision, o.Cluster}
	if len(m.Recipients) > 0 {
		who = "the base of revision %d of %s is for %s: name them, or those who are to read it from now on, with --recipient or \"recipients\" in the file"
		args = append(args, strings.Join(m.Recipients, ", "))
	}
	return fmt.Errorf("%w: "+who+"; --plain, or plain = true, writes it in the clear", args...)
}

func refuseDropped(o Options, m Manifest, gone []string) error {
	all := strings.Join(gone, ", ")
	return fmt.Errorf("%w: the base of revision %d of %s is for %s, and what would be written for %s, without %s: name it again, with --recipient or \"recipients\" in the file; if it is to read nothing that comes from now on, say so with --drop-recipient %s, or with \"dropped\" in the file",
		ErrDropped, m.Revision, o.Cluster, strings.Join(m.Recipients, ", "), strings.Join(recipientTexts(o.Recipients), ", "), all, strings.Join(gone, " --drop-recipient "))
}

// dropped is who can read a base and could not read what is written now, though nobody has said that
// it is to be so; nil where recipients cannot be compared.
func dropped(o Options, m Manifest) (gone []string) {
	own, said := recipientTexts(o.Recipients), recipientTexts(o.Dropped)
	if own == nil {
		return nil
	}
	for _, r := range m.Recipients {
		if !slices.Contains(own, r) && !slices.Contains(said, r) {
			gone = append(gone, r)
		}
	}
	return gone
}

// readersDue is why a base is due for the sake of those who read it, "" if none is: one of other recipients
// than the newest is for, as those that were added read nothing without. If it is for somebody whom this
// uploader does not know, as another one has made it, that is told.
func (u *Uploader) readersDue(ctx context.Context, c catalog.Catalog) (why string, err error) {
	own := recipientTexts(u.o.Recipients)
	if own == nil {
		return "", nil
	}
	newest, _ := c.Newest()
	m, err := u.shelf.manifest(ctx, newest.Folder())
	if err != nil {
		return "", err
	}
	if gone := dropped(u.o, m); len(gone) > 0 {
		u.alarm(alarmReaders, refuseDropped(u.o, m, gone).Error())
		return "", nil
	}
	slices.Sort(own)
	switch {
	case !m.Encrypted:
		return "the one before is in the clear, and it is encrypted now", nil
	case len(m.Recipients) == 0:
		return "the one before does not say for whom it is", nil
	case !slices.Equal(slices.Compact(own), slices.Compact(slices.Sorted(slices.Values(m.Recipients)))):
		return "it is for others than the one before", nil
	}
	return "", nil
}

// mayBeRead asks before anybody is elected, so that who only stands ready hears of it too. What
// cannot be found out now is asked again by who is elected.
func mayBeRead(ctx context.Context, o Options) error {
	latest, err := (&generations{o.Store, o.Cluster}).progress(ctx)
	if err == nil {
		err = keepsReaders(ctx, o, place{o.Cluster, latest.Number})
	}
	if isForReaders(err) {
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
