// Package blob keeps objects: bytes under names, in a folder or in a store that
// speaks S3. An object is written once, whole or not at all, and never changed: that
// is all that backups, generations and artifacts need, and what makes two writers of
// one name safe.
//
//	store, err := blob.Open("s3://backups/etcd?region=eu-central-1", blob.Options{})
//	if err != nil {
//		return err
//	}
//	err = store.Create(ctx, "prod/000000/log/minute/00000000000000004711", segment, blob.Standard)
//	if errors.Is(err, blob.ErrExists) {
//		// Somebody was first, or our own earlier attempt was: look at what is there.
//	}
package blob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// What a [Store]'s errors wrap. Any other error leaves open what happened.
var (
	ErrExists   = errors.New("an object of this name exists")
	ErrNotFound = errors.New("no object of this name")
	// ErrRefused is that nothing was done, and nothing will be until something other than
	// the store's state has changed: credentials, permissions, a setting, a name.
	ErrRefused = errors.New("refused")
)

// A Store keeps objects. Names are parts of lower-case letters, digits, '.', '_' and '-'
// with slashes between; see [CheckName]. It is safe for concurrent use. A call is one
// attempt, and retries are the caller's: see [Retry].
type Store interface {
	// Create writes an object that was not there. Of several writers of one name one
	// succeeds, and the others get ErrExists; a reader sees a whole object or none. An
	// attempt whose answer was lost may have written it, so a second one may get
	// ErrExists for its own object.
	Create(ctx context.Context, name string, data []byte, class Class) error
	// Get reads an object, or fails with ErrNotFound.
	Get(ctx context.Context, name string) ([]byte, error)
	// Head reads the first bytes of an object, at most n, and says how long all of it is.
	Head(ctx context.Context, name string, n int) (data []byte, size int64, err error)
	// List is the objects whose names begin with prefix and sort behind after, in the
	// order of their names, bytewise. It ends with the first error.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	// Delete deletes an object; one that is not there is no error.
	Delete(ctx context.Context, name string) error
	// String is where the store is, without secrets.
	String() string
}

// Info is what a listing says of an object.
type Info struct {
	Name     string
	Size     int64 // in bytes
	Modified time.Time
}

// Class is what an object's keeping and reading cost.
type Class uint8

// The classes of objects. A folder has one.
const (
	Standard   Class = iota
	Infrequent       // cheaper to keep, for 30 days at least, and dearer to read: S3's STANDARD_IA

	classes // how many there are
)

// refuse is an error that is ErrRefused, and says why instead of saying so.
func refuse(format string, args ...any) error { return refusedError{fmt.Errorf(format, args...)} }

type refusedError struct{ error }

func (e refusedError) Is(target error) bool { return target == ErrRefused }

func (e refusedError) Unwrap() error { return e.error }
