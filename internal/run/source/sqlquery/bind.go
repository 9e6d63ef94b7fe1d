package sqlquery

import (
	"strconv"
	"sync"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
)

// scratch is room in which a batch's arguments become what is bound to a
// statement.
type scratch struct {
	values [][]byte // the JSON of one call's columns
	bound  [][]byte // an array of PostgreSQL's for each column that is told, as text
	text   []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// fill writes a batch's arguments as arrays.
func (s *scratch) fill(op *operation, b *source.Batch) error {
	s.room(op)
	if len(op.told) == 0 {
		s.bound = withLen(s.bound, 1)
		s.bound[0] = strconv.AppendInt(s.bound[0][:0], int64(len(b.Args)), 10)
		return nil
	}
	for n := range s.bound {
		s.bound[n] = append(s.bound[n][:0], '{')
	}
	for i, args := range b.Args {
		if !op.params.values(args, s.values) {
			return notCanonical(args)
		}
		for n, p := range op.told {
			if i > 0 {
				s.bound[n] = append(s.bound[n], ',')
			}
			s.bound[n] = s.element(s.bound[n], op.params.all[p].kind, s.values[p])
		}
	}
	for n := range s.bound {
		s.bound[n] = append(s.bound[n], '}')
	}
	return nil
}

// room makes room for an operation's columns.
func (s *scratch) room(op *operation) {
	s.bound = withLen(s.bound, len(op.told))
	s.values = withLen(s.values, len(op.params.all))
}

// withLen is a list of a length on the memory of another, its buffers included.
func withLen(list [][]byte, n int) [][]byte {
	if missing := n - cap(list); missing > 0 {
		list = append(list[:cap(list)], make([][]byte, missing)...)
	}
	return list[:n]
}

func notCanonical(args []byte) error {
	return source.Errorf(source.Failed, "the arguments %.100s are not what the operation declares", args)
}

// element appends a value as an element of an array's text. What a string of JSON
// without a backslash looks like is what an array has, too.
func (s *scratch) element(dst []byte, kind abi.Kind, v []byte) []byte {
	switch {
	case v == nil:
		return append(dst, "NULL"...)
	case kind == abi.Duration:
		return appendMicroseconds(dst, inner(v))
	case v[0] == '"' && kind != abi.Json:
		s.text = appendUnquoted(s.text[:0], v)
		v = s.text
	case kind != abi.Json:
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for _, c := range v {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// appendMicroseconds appends a Duration's canonical text, "1h30m", as an interval
// of microseconds, `"5400000000.000 us"`: of days PostgreSQL would count the
// calendar's. What is finer than a microsecond it rounds.
func appendMicroseconds(dst, text []byte) []byte {
	dst = append(dst, '"')
	if len(text) > 0 && text[0] == '-' {
		dst = append(dst, '-')
		text = text[1:]
	}
	var total uint64
	for len(text) > 0 {
		var n uint64
		for len(text) > 0 && isDigit(text[0]) {
			n = n*10 + uint64(text[0]-'0')
			text = text[1:]
		}
		unit := 0
		for unit < len(text) && !isDigit(text[unit]) {
			unit++
		}
		total += n * nanosecondsOf(string(text[:unit]))
		text = text[unit:]
	}
	dst = strconv.AppendUint(dst, total/1000, 10)
	rest := total % 1000
	return append(dst, '.', '0'+byte(rest/100), '0'+byte(rest/10%10), '0'+byte(rest%10), ' ', 'u', 's', '"')
}

func nanosecondsOf(unit string) uint64 {
	switch unit {
	case "d":
		return 24 * 3600e9
	case "h":
		return 3600e9
	case "m":
		return 60e9
	case "s":
		return 1e9
	case "ms":
		return 1e6
	case "us":
		return 1e3
	}
	return 1
}
