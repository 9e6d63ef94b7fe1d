package backup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/segment"
)

// A record is one of the few small objects on which all others depend: who began a generation, and
// which cluster of etcd it is of. It is there twice, so that no single object that is damaged or lost
// is in the way of a restore. The one that is created first decides; its copy is made of it.
type record struct {
	store      blob.Store
	name, copy string
}

// create makes the record, if there is none. Where its copy is all that is left, there is one.
func (r record) create(ctx context.Context, what any) error {
	text, err := sealRecord(what)
	if err != nil {
		return err
	}
	if _, _, err := r.store.Head(ctx, r.copy, 1); !errors.Is(err, blob.ErrNotFound) {
		return cmp.Or(err, fmt.Errorf("%s: %w", r.copy, blob.ErrExists))
	}
	if err := r.store.Create(ctx, r.name, text, blob.Standard); err != nil {
		return err
	}
	return r.createCopy(ctx, text)
}

func (r record) createCopy(ctx context.Context, text []byte) error {
	err := r.store.Create(ctx, r.copy, text, blob.Standard)
	if errors.Is(err, blob.ErrExists) {
		return nil
	}
	return err
}

// read reads the record, or its copy if it is damaged or gone.
func (r record) read(ctx context.Context, what any) error {
	_, err := r.open(ctx, r.name, what)
	if err == nil || !isGone(err) {
		return err
	}
	_, none := r.open(ctx, r.copy, what)
	switch {
	case none == nil:
		return nil
	case !isGone(none):
		return none
	case errors.Is(err, blob.ErrNotFound):
		return none // which may be that there is neither
	case errors.Is(none, blob.ErrNotFound):
		return fmt.Errorf("%w; there is no copy of it", err)
	}
	return fmt.Errorf("%w; so is its copy: %w", err, none)
}

func (r record) open(ctx context.Context, name string, what any) (text []byte, err error) {
	if text, err = r.store.Get(ctx, name); err != nil {
		return nil, err
	}
	if err := openRecord(text, what); err != nil {
		return nil, fmt.Errorf("%s in %s: %w: %w", name, r.store, segment.ErrDamaged, err)
	}
	return text, nil
}

// keep makes the copy, where there is none as of versions before, or a damaged one, and says what
// is wrong with the record itself: of that nothing is changed. what is a record to read into.
func (r record) keep(ctx context.Context, what any) (wrong, err error) {
	text, err := r.open(ctx, r.name, what)
	if err != nil && !isGone(err) {
		return nil, err
	}
	_, none := r.open(ctx, r.copy, what)
	switch {
	case none != nil && !isGone(none):
		return nil, none
	case err == nil && errors.Is(none, segment.ErrDamaged):
		if err := r.store.Delete(ctx, r.copy); err != nil {
			return nil, err
		}
		return nil, r.createCopy(ctx, text)
	case err == nil && none != nil:
		return nil, r.createCopy(ctx, text)
	case err != nil && none == nil:
		return fmt.Errorf("%w; its copy, %s, is used: write that in its place", err, r.copy), nil
	case errors.Is(err, segment.ErrDamaged):
		return fmt.Errorf("%w; there is no good copy of it: put back one of your own", err), nil
	}
	return nil, nil
}

// sumField is how a record ends, with the sum of what it would be without. Those before had none, and
// who knows nothing of it reads it all the same.
const sumField = `,"sum":"`

func sealRecord(what any) ([]byte, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(text[:len(text)-1], `%s%s"}`, sumField, recordSum(text)), nil
}

func recordSum(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text))[:16] }

func openRecord(text []byte, what any) error {
	if at := bytes.LastIndex(text, []byte(sumField)); at >= 0 {
		body := append(bytes.Clone(text[:at]), '}')
		if want := fmt.Sprintf(`%s%s"}`, sumField, recordSum(body)); string(text[at:]) != want {
			return fmt.Errorf("expected the sum %s, found %s", want[len(sumField):len(want)-2], bytes.TrimPrefix(text[at:], []byte(sumField)))
		}
	}
	return json.Unmarshal(text, what)
}
