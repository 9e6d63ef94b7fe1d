package election

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Registry keeps, outside the store, what must not go back in time with it: which
// generations there have been, and how far each one has come. It must be shared by
// all processes of the store, and must not be in the same backup.
type Registry interface {
	// Claim takes a generation for whoever names the claim, if nobody has it: it
	// reports whether this claim has it now. It is create-if-absent: of two claims
	// for one generation one fails, for ever.
	Claim(ctx context.Context, generation uint64, claim string) (bool, error)
	// Latest is the greatest generation that was claimed, or the zero one.
	Latest(ctx context.Context) (Generation, error)
	// Raise notes that a generation has come to a revision of the store. A lower
	// one than was noted before changes nothing.
	Raise(ctx context.Context, generation uint64, revision int64) error
}

// A Generation is the life of a store from one restore to the next. The first one, 0,
// needs no claim.
type Generation struct {
	Number uint64
	Claim  string
	// Mark is the highest revision that was noted for it.
	Mark int64
}

// readGeneration learns which generation the store is in, and refuses a store that is
// not what the registry knows it to be.
func (s *Session) readGeneration(ctx context.Context) error {
	page, err := s.store.Range(ctx, Span{Keys: Key(generationKey(s.opt.Prefix))})
	if err != nil {
		return err
	}
	s.generationAt = generationOf(page.Entries)
	if len(page.Entries) > 0 {
		if err := json.Unmarshal(page.Entries[0].Value, &s.generation); err != nil {
			return fmt.Errorf("the key %s: expected a generation, found %q", page.Entries[0].Key, page.Entries[0].Value)
		}
	}
	if s.generation.Dropping {
		return fmt.Errorf("%w: generation %d of it has begun, and what was held before is not deleted yet; if that does not end by itself, call Resume, or \"tow cluster resume\"", ErrTurnedBack, s.generation.Generation)
	}
	if s.opt.Registry == nil {
		return nil
	}
	latest, err := s.opt.Registry.Latest(ctx)
	if err != nil {
		return fmt.Errorf("the registry of generations: %w", err)
	}
	here := s.generation
	switch {
	case latest.Number != here.Generation || latest.Claim != here.Claim:
		return fmt.Errorf("%w: it is in generation %d (%s), and the registry knows generation %d (%s); if it was restored from a backup, call Restored", ErrTurnedBack, here.Generation, cmp.Or(here.Claim, "unclaimed"), latest.Number, cmp.Or(latest.Claim, "unclaimed"))
	case page.Revision < latest.Mark:
		return fmt.Errorf("%w: it is at revision %d, and generation %d has been at %d already; if it was restored from a backup, call Restored", ErrTurnedBack, page.Revision, here.Generation, latest.Mark)
	}
	return s.opt.Registry.Raise(ctx, here.Generation, page.Revision)
}

// generationOf is the revision that wrote the generation's key, 0 while there is none.
func generationOf(entries []Entry) int64 {
	if len(entries) == 0 {
		return 0
	}
	return entries[0].Modified
}

// Restored begins a new generation of a store that was restored from a backup: it
// claims the next one in the registry, writes it to the store, and deletes all that
// was held, waited for and planned in it; the groups' configurations stay. Sessions of
// the generation before end. Run it once after each restore, before anybody uses the
// store; running it again takes another generation and does no harm.
func Restored(ctx context.Context, store Store, prefix string, registry Registry) (Generation, error) {
	prefix = cmp.Or(prefix, "election/")
	claim := rand.Text()
	latest, err := registry.Latest(ctx)
	if err != nil {
		return Generation{}, fmt.Errorf("election: the registry of generations: %w", err)
	}
	next := latest.Number + 1
	for {
		ours, err := registry.Claim(ctx, next, claim)
		if err != nil {
			return Generation{}, fmt.Errorf("election: claim of generation %d: %w", next, err)
		}
		if ours {
			break
		}
		next++ // the same backup was restored elsewhere as well
	}
	// First the generation: from here on no session of an earlier one gets a seat. Nor is
	// one of the new generation opened yet: it could acquire a seat that is deleted then.
	key, record := RestoredKey(prefix, next, claim)
	r, err := store.Txn(ctx, Txn{Then: []Op{Put(key, record, 0)}})
	if err != nil {
		return Generation{}, fmt.Errorf("election: generation %d is claimed but not in the store: %w; run it again", next, err)
	}
	return finish(ctx, store, prefix, registry, Generation{next, claim, r.Revision})
}

// RestoredKey is what a restore writes that begins a generation in a store's file, before
// the store runs: a key and its value, which keep sessions from opening until [Resume].
// The generation has been claimed then.
func RestoredKey(prefix string, generation uint64, claim string) (key string, value []byte) {
	return generationKey(cmp.Or(prefix, "election/")), encode(generationRecord{Generation: generation, Claim: claim, Dropping: true})
}

// Pending is the generation that a restore began and [Resume] has not opened yet; false
// if there is none.
func Pending(ctx context.Context, store Store, prefix string) (Generation, bool, error) {
	page, err := store.Range(ctx, Span{Keys: Key(generationKey(cmp.Or(prefix, "election/")))})
	if err != nil || len(page.Entries) == 0 {
		return Generation{}, false, err
	}
	var record generationRecord
	if err := json.Unmarshal(page.Entries[0].Value, &record); err != nil {
		return Generation{}, false, fmt.Errorf("the key %s: expected a generation, found %q", page.Entries[0].Key, page.Entries[0].Value)
	}
	return Generation{record.Generation, record.Claim, page.Entries[0].Modified}, record.Dropping, nil
}

// Resume opens a generation that a restore began: it deletes all that was held, waited
// for and planned in the one before, as [Restored] does, and lets sessions open. Of a
// generation that is open already it does nothing.
func Resume(ctx context.Context, store Store, prefix string, registry Registry) (Generation, error) {
	prefix = cmp.Or(prefix, "election/")
	pending, dropping, err := Pending(ctx, store, prefix)
	if err != nil || !dropping {
		return pending, err
	}
	if registry != nil {
		latest, err := registry.Latest(ctx)
		if err != nil {
			return Generation{}, fmt.Errorf("election: the registry of generations: %w", err)
		}
		if latest.Number != pending.Number || latest.Claim != pending.Claim {
			return Generation{}, fmt.Errorf("election: the store was restored into generation %d (%s), and the registry knows generation %d (%s) as the latest: another restore has begun since, and this store may not go on", pending.Number, pending.Claim, latest.Number, latest.Claim)
		}
	}
	return finish(ctx, store, prefix, registry, pending)
}

// finish opens a generation that has begun with its Mark as the revision of its key.
func finish(ctx context.Context, store Store, prefix string, registry Registry, begun Generation) (Generation, error) {
	err := drop(ctx, store, prefix)
	var r Result
	if err == nil {
		key := generationKey(prefix)
		record := generationRecord{Generation: begun.Number, Claim: begun.Claim}
		r, err = store.Txn(ctx, Txn{If: []Compare{ModifiedAt(key, begun.Mark)}, Then: []Op{Put(key, encode(record), 0)}})
	}
	if err != nil {
		return Generation{}, fmt.Errorf("election: generation %d has begun, but what was held before is not deleted yet: %w; run it again", begun.Number, err)
	}
	if !r.OK {
		return Generation{}, fmt.Errorf("election: generation %d was ended at once by another one: begin one generation a restore", begun.Number)
	}
	begun.Mark = r.Revision
	if registry == nil {
		return begun, nil
	}
	return begun, registry.Raise(ctx, begun.Number, r.Revision)
}

// drop deletes all election keys but generations and configurations.
func drop(ctx context.Context, store Store, prefix string) error {
	if _, err := store.Txn(ctx, Txn{Then: []Op{Delete(Prefix(prefix + "session/"))}}); err != nil {
		return err
	}
	groups, err := Groups(ctx, store, prefix)
	if err != nil {
		return err
	}
	for _, name := range groups {
		k := groupKeys(prefix, name)
		txn := Txn{Then: []Op{Delete(Key(k.assigner())), Delete(Key(k.epoch()))}}
		for _, all := range []string{k.candidate(""), k.seat(""), k.drain(""), k.move(""), k.plan("")} {
			txn.Then = append(txn.Then, Delete(Prefix(all)))
		}
		if _, err := store.Txn(ctx, txn); err != nil {
			return err
		}
	}
	return nil
}

// RegistryDir is a registry in a folder, which all processes of the store must reach,
// on a file system that creates files exclusively and durably (a local one, NFS 3 and
// later). Its files are only ever created, so nothing in it goes back.
func RegistryDir(folder string) Registry { return registryDir(folder) }

type registryDir string

func (d registryDir) Claim(_ context.Context, generation uint64, claim string) (bool, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return false, err
	}
	name := filepath.Join(string(d), fmt.Sprintf("generation-%020d", generation))
	err := create(name, claim)
	if errors.Is(err, fs.ErrExist) {
		there, err := os.ReadFile(name)
		return string(there) == claim, err
	}
	return err == nil, err
}

// create writes a file that was not there, whole or not at all.
func create(name, text string) error {
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), name); err != nil { // fails where the name is taken
		return err
	}
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (d registryDir) Latest(context.Context) (Generation, error) {
	var latest Generation
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return latest, nil
	}
	if err != nil {
		return latest, err
	}
	for _, e := range entries { // in the order of their names, which are of one length
		if text, ok := strings.CutPrefix(e.Name(), "generation-"); ok {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				continue
			}
			claim, err := os.ReadFile(filepath.Join(string(d), e.Name()))
			if err != nil {
				return latest, err
			}
			latest = Generation{Number: n, Claim: string(claim)}
		}
	}
	for _, e := range entries {
		var generation uint64
		var mark int64
		if n, _ := fmt.Sscanf(e.Name(), "mark-%d-%d", &generation, &mark); n == 2 && generation == latest.Number {
			latest.Mark = max(latest.Mark, mark)
		}
	}
	return latest, nil
}

func (d registryDir) Raise(ctx context.Context, generation uint64, revision int64) error {
	latest, err := d.Latest(ctx)
	if err != nil || generation == latest.Number && revision <= latest.Mark {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	err = create(filepath.Join(string(d), fmt.Sprintf("mark-%020d-%020d", generation, revision)), "")
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The new mark is there: older ones say nothing any more.
	if latest.Mark != 0 && generation == latest.Number {
		err = os.Remove(filepath.Join(string(d), fmt.Sprintf("mark-%020d-%020d", generation, latest.Mark)))
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return err
}
