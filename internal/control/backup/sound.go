package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"filippo.io/age"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A header says what an object has, and only who reads the object knows that it has it. A shelf
// remembers which objects have been read whole, as nothing may be deleted for the sake of one
// that has not, and which were found damaged, as these lead nowhere.

// isSound says whether a log object, or a base of a folder, was read whole by this process.
func (s *shelf) isSound(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sound[name]
}

// found notes what reading all of a log object came to.
func (s *shelf) found(name string, identities []age.Identity, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.sound[name] = true
		delete(s.doubted, name)
	case errors.Is(err, segment.ErrDamaged):
		delete(s.sound, name)
		s.doubted[name] = identities
	}
}

// foundBase notes what restoring a base came to. A base that was found damaged stays so for
// this process: reading all of it again each hour would cost more than the next one.
func (s *shelf) foundBase(folder string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.place.base(folder)
	switch {
	case err == nil:
		s.sound[name] = true
	case isGone(err): // a chunk of which the manifest says that it is there
		delete(s.sound, name)
		s.spoiled[folder] = err.Error()
	}
}

func (s *shelf) isSpoiled(folder string) (why string, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	why, is = s.spoiled[folder]
	return why, is
}

// again reads a log object that was found damaged once more: it may have been its way here that
// was, or its dictionary, and somebody may have put back a copy.
func (s *shelf) again(ctx context.Context, name string) error {
	s.mu.Lock()
	identities, doubted := s.doubted[name]
	s.mu.Unlock()
	if !doubted {
		return nil
	}
	err := s.readWhole(ctx, name, identities)
	switch {
	case errors.Is(err, blob.ErrNotFound): // leaveOutLost says of a dictionary that it is not there
		return nil
	case errors.Is(err, segment.ErrEncrypted), errors.Is(err, segment.ErrWrongIdentity): // so it is not damaged
		return nil
	}
	return err
}

// readWhole reads a log object to its end.
func (s *shelf) readWhole(ctx context.Context, name string, identities []age.Identity) error {
	object, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	_, err = s.check(ctx, name, object, identities)
	s.found(name, identities, err)
	return err
}

// check reads what is to be a log object to its end, and is its header.
func (s *shelf) check(ctx context.Context, name string, object []byte, identities []age.Identity) (h segment.Header, err error) {
	err = eachRecord(object, s.find(ctx, identities), identities, func(found segment.Header) error {
		h = found
		return s.belongs(name, h)
	}, func(segment.Record) error { return nil })
	if err != nil {
		err = fmt.Errorf("%s in %s: %w", name, s.store, err)
	}
	return h, err
}

// soundLogs sees to it that log objects have been read whole by this process; false if one of
// them is damaged, which is an error once.
func (s *shelf) soundLogs(ctx context.Context, logs []catalog.Log, identities []age.Identity) (bool, error) {
	for _, l := range logs {
		name := s.place.log(l.Level, l.Start)
		s.mu.Lock()
		_, doubted := s.doubted[name]
		s.mu.Unlock()
		if doubted {
			return false, nil
		}
		if s.isSound(name) {
			continue
		}
		if err := s.readWhole(ctx, name, identities); err != nil {
			return false, err
		}
	}
	return true, nil
}

// soundBase is that for a base. Its chunks have their hashes as their names, so it needs no
// identity, and no room.
func (s *shelf) soundBase(ctx context.Context, base catalog.Base) (bool, error) {
	if _, spoiled := s.isSpoiled(base.Folder()); spoiled {
		return false, nil
	}
	if s.isSound(s.place.base(base.Folder())) {
		return true, nil
	}
	m, err := s.manifest(ctx, base.Folder())
	if err != nil {
		return false, err
	}
	for _, c := range m.Chunks {
		if _, err = s.chunk(ctx, base.Folder(), c); err != nil {
			break
		}
	}
	s.foundBase(base.Folder(), err)
	return err == nil, err
}

// chunk reads a chunk of a base.
func (s *shelf) chunk(ctx context.Context, folder string, c Chunk) ([]byte, error) {
	name := s.place.chunk(folder, c.SHA256)
	object, err := s.get(ctx, name)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(object); hex.EncodeToString(sum[:]) != c.SHA256 {
		return nil, fmt.Errorf("%s in %s: %w: its hash is %x", name, s.store, segment.ErrDamaged, sum)
	}
	return object, nil
}
