// What a table says, as a number to compare.

package settings

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"slices"
)

// Digest is a SHA-256 of what the table says, with the references in its texts
// expanded: two that say the same have the same, wherever they stand. It tells
// nothing of secrets that are long enough. No key counts as asked for, and no mistake
// is noted; the error is the first of [File.Expand].
func (t *Table) Digest() (sum [sha256.Size]byte, err error) {
	if t == nil {
		return sha256.Sum256(nil), nil
	}
	h := sha256.New()
	if err := t.file.digest(h, t.values); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// digest writes a value so that no two differing ones are written alike.
func (f *File) digest(h hash.Hash, value any) error {
	switch v := value.(type) {
	case map[string]any:
		fmt.Fprintf(h, "{%d ", len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(h, "%q ", key)
			if err := f.digest(h, v[key]); err != nil {
				return err
			}
		}
	case []any:
		fmt.Fprintf(h, "[%d ", len(v))
		for _, one := range v {
			if err := f.digest(h, one); err != nil {
				return err
			}
		}
	case string:
		if f.Expand != nil {
			var err error
			if v, err = f.Expand(v); err != nil {
				return err
			}
		}
		fmt.Fprintf(h, "%q ", v)
	default:
		fmt.Fprintf(h, "%T %v ", v, v)
	}
	return nil
}
