package workload

import (
	"encoding/json"

	goccy "github.com/goccy/go-json"
)

// Codec is what a side written in Go needs of a JSON library.
type Codec struct {
	Unmarshal func([]byte, any) error
	Marshal   func(any) ([]byte, error)
}

// StdJSON is encoding/json, what most services use.
func StdJSON() Codec { return Codec{Unmarshal: json.Unmarshal, Marshal: json.Marshal} }

// GoccyJSON is github.com/goccy/go-json, what services use that count their
// microseconds.
func GoccyJSON() Codec {
	return Codec{
		Unmarshal: func(text []byte, v any) error { return goccy.Unmarshal(text, v) },
		Marshal:   func(v any) ([]byte, error) { return goccy.Marshal(v) },
	}
}
