package sqlquery

import (
	"slices"

	"towpath.dev/internal/run/source"
)

// row gives a row's values.
type row interface {
	// cell is a column's value, valid until the next is asked for; null reports that
	// there is none.
	cell(column int) (c class, v []byte, null bool)
}

// maxAnswers is the most bytes that the answers of a batch may have together.
const maxAnswers = 64 << 20

// answers collects the rows of a batch. They are written into one buffer, which
// the answers are parts of; only when the rows of a call do not follow each other
// are its parts put together anew.
type answers struct {
	plan   *plan
	calls  []answered
	buf    []byte
	now    int // the call whose rows come; -1 before the first
	start  int // of its part in buf
	copied int // bytes of answers put together anew
}

type answered struct {
	text []byte
	rows int
	err  error
}

func newAnswers(p *plan, calls, room int) *answers {
	return &answers{plan: p, calls: make([]answered, calls), buf: make([]byte, 0, room), now: -1}
}

// add adds a row of a call. The error ends the whole batch.
func (a *answers) add(call int, r row) error {
	if call < 0 || call >= len(a.calls) {
		return source.Errorf(source.Unfit, "the statement gives a row for call %d; expected one of the %d that `calls` holds, from 0", call, len(a.calls))
	}
	if call != a.now {
		a.part()
		a.now, a.start = call, len(a.buf)
	}
	in := &a.calls[call]
	if in.rows++; in.err != nil || in.rows > 1 && !a.plan.many {
		return nil
	}
	switch {
	case len(a.buf) > a.start:
		a.buf = append(a.buf, ',')
	case a.plan.many:
		a.buf = append(a.buf, '[')
	}
	a.buf, in.err = a.plan.root.append(a.buf, r)
	if len(a.buf)+a.copied > maxAnswers {
		return source.Errorf(source.Unfit, "the answers have more than %d MiB; let the statement give fewer rows, or the operation ask for fewer calls by `batch`", maxAnswers>>20)
	}
	return nil
}

// part ends the rows that the current call has got at this place.
func (a *answers) part() {
	if a.now < 0 || len(a.buf) == a.start {
		return
	}
	in := &a.calls[a.now]
	if a.plan.many {
		a.buf = append(a.buf, ']')
	}
	text := a.buf[a.start:len(a.buf):len(a.buf)]
	if in.text != nil { // of "[1,2]" and "[3]" comes "[1,2,3]"
		a.copied += len(text)
		text = append(append(in.text[:len(in.text)-1], ','), text[1:]...)
	}
	in.text = text
}

// finish says that all rows have come.
func (a *answers) finish() {
	a.part()
	a.now = -1
}

// answer is a call's, after finish.
func (a *answers) answer(call int) ([]byte, error) {
	switch in := &a.calls[call]; {
	case in.err != nil:
		return nil, &source.Error{Kind: source.Unfit, Message: in.err.Error()}
	case a.plan.many && in.rows == 0:
		return []byte("[]"), nil
	case a.plan.many || in.rows == 1:
		return slices.Clip(in.text), nil
	case in.rows > 1:
		return nil, source.Errorf(source.Failed, "the statement gives %d rows for the call; expected one %s at most", in.rows, a.plan.elem)
	case a.plan.optional:
		return []byte("null"), nil
	}
	return nil, source.Errorf(source.Failed, "the statement gives no row for the call; expected one %s. Where there need be none, let the operation return %s?", a.plan.elem, a.plan.elem)
}

// append appends a row's value.
func (p *planned) append(dst []byte, r row) ([]byte, error) {
	if p.column >= 0 {
		c, v, null := r.cell(p.column)
		if null {
			return append(dst, "null"...), nil
		}
		return appendCell(dst, p.field, c, v)
	}
	dst, _, err := p.object(append(dst, '{'), r)
	return append(dst, '}'), err
}

// object appends the members that are not null, and reports whether there are any.
func (p *planned) object(dst []byte, r row) ([]byte, bool, error) {
	any := false
	for i := range p.members {
		m := &p.members[i]
		before := len(dst)
		if any {
			dst = append(dst, ',')
		}
		dst = append(dst, m.key...)
		var err error
		var there bool
		if m.column >= 0 {
			c, v, null := r.cell(m.column)
			if there = !null; there {
				dst, err = appendCell(dst, m.field, c, v)
			}
		} else {
			dst, there, err = m.object(append(dst, '{'), r)
			dst = append(dst, '}')
		}
		if err != nil {
			return dst, any, err
		}
		if !there {
			dst = dst[:before]
			continue
		}
		any = true
	}
	return dst, any, nil
}
