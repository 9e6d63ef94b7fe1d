// What all documents here have in common: JSON in one form, of a bounded size.

package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// document is what can be wrong in ways that its type does not tell.
type document interface{ Validate() error }

// canonical is a value's JSON: members in declared order, keys of maps sorted, no white
// space, nothing escaped that need not be.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// decode reads a document into v and validates it. What is it for errors: "a release".
// Only the canonical form passes, so that what was signed is what was read.
func decode(what string, data []byte, most int, v document) error {
	if len(data) > most {
		return fmt.Errorf("%s: its document has %d bytes: expected %d at most", what, len(data), most)
	}
	if err := newerFormat(what, data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: its document cannot be read: %w; found %s", what, err, glimpse(data))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something stands behind the end of its document, at byte %d", what, dec.InputOffset())
	}
	if err := v.Validate(); err != nil {
		return err
	}
	again, err := canonical(v)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("%s: its document is not in canonical form, and was not written by tow: expected %s, found %s", what, glimpse(again), glimpse(data))
	}
	return nil
}

// newerFormat tells a document that a later tow has written from one that is damaged.
func newerFormat(what string, data []byte) error {
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(data, &head) == nil && head.Format > Format {
		return fmt.Errorf("%s: its format is %d, and this tow reads %d: use a later version of tow", what, head.Format, Format)
	}
	return nil
}

// glimpse is the beginning of what was found, for errors.
func glimpse(data []byte) string {
	const most = 60
	if len(data) <= most {
		return fmt.Sprintf("%q", data)
	}
	return fmt.Sprintf("%q… (%d bytes)", data[:most], len(data))
}

// printable reports whether a text can be shown as it is.
func printable(text string) bool {
	for _, c := range text {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return utf8.ValidString(text)
}
