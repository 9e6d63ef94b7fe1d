// Batches: many calls by one RPC.

package grpcproto

import (
	"context"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protowire"

	"towpath.dev/internal/run/source"
)

// group is calls that can be asked in one request.
type group struct {
	index []int
	calls [][]json.RawMessage
}

// groups parts a batch into those; calls that cannot be sent are done with.
func (b *batching) groups(batch *source.Batch, done func(i int, answer []byte, err error)) []*group {
	var all []*group
	byKey := map[string]*group{}
	for i, args := range batch.Args {
		parts, err := source.Split(args)
		if err != nil {
			done(i, nil, err)
			continue
		}
		key, err := b.rpc.request.shared(nil, parts)
		if err != nil {
			done(i, nil, b.rpc.unsent(err))
			continue
		}
		g := byKey[string(key)]
		if g == nil {
			g = &group{}
			byKey[string(key)] = g
			all = append(all, g)
		}
		g.index = append(g.index, i)
		g.calls = append(g.calls, parts)
	}
	return all
}

// encode makes a group's request. A call that cannot be sent is done with alone,
// and leaves the group.
func (b *batching) encode(g *group, done func(i int, answer []byte, err error)) []byte {
	data, err := b.rpc.request.append(nil, g.calls)
	if err == nil {
		return data
	}
	var left group
	for j, call := range g.calls {
		if _, err := b.rpc.request.append(nil, [][]json.RawMessage{call}); err != nil {
			done(g.index[j], nil, b.rpc.unsent(err))
			continue
		}
		left.index, left.calls = append(left.index, g.index[j]), append(left.calls, call)
	}
	if *g = left; len(g.calls) == 0 {
		return nil
	}
	data, _ = b.rpc.request.append(nil, g.calls) // each of them was tried
	return data
}

// together asks a batch, apart for calls that cannot share a request.
func (c *caller) together(ctx context.Context, b *source.Batch, done func(i int, answer []byte, err error)) {
	groups := c.batch.groups(b, done)
	each(len(groups), c.source.parallel, func(i int) {
		g := groups[i]
		data := c.batch.encode(g, done)
		if len(g.calls) == 0 {
			return
		}
		answers := make([]outcome, len(g.calls))
		data, err := c.send(ctx, c.batch.rpc, data, &b.About)
		switch {
		case err != nil && c.isNone(err):
			for j := range answers {
				answers[j].answer = append([]byte(nil), null...)
			}
		case err != nil:
			for j := range answers {
				answers[j].err = err
			}
		default:
			c.batch.part(data, g.calls, answers, c.source.maxAnswer)
		}
		for j, at := range g.index {
			done(at, answers[j].answer, answers[j].err)
		}
	})
}

// outcome is what came of a call.
type outcome struct {
	answer []byte
	err    error
}

// part hands the elements of a response to the calls that they answer.
func (b *batching) part(data []byte, calls [][]json.RawMessage, out []outcome, limit int) {
	elements, err := b.elements(data)
	if err == nil && b.key == nil && len(elements) != len(calls) {
		err = source.Errorf(source.Unfit, "%s answered %d of %d calls; the answers stand in the calls' order, so there must be as many (or name the field with their `key`)", b.rpc.name, len(elements), len(calls))
	} else if err != nil {
		err = unfit(b.rpc, err)
	}
	if err == nil && b.key != nil {
		b.byKey(elements, calls, out, limit)
		return
	}
	for i := range out {
		if err != nil {
			out[i].err = err
			continue
		}
		out[i].answer, out[i].err = b.read(elements[i], limit)
	}
}

func (b *batching) read(element []byte, limit int) ([]byte, error) {
	answer, err := b.item.json(element, limit)
	if err != nil {
		return nil, unfit(b.rpc, err)
	}
	return answer, nil
}

// elements are the answers' messages; scalars stand as the field 1 of one.
func (b *batching) elements(data []byte) ([][]byte, error) {
	d := &decoder{}
	for _, step := range b.steps {
		found, err := d.find(step, data)
		if err != nil || found == nil {
			return nil, err
		}
		data = found
	}
	for range b.list.slots {
		d.slots = append(d.slots, slot{})
	}
	if err := d.collect(b.list, 0, data); err != nil {
		return nil, err
	}
	m := &b.list.members[0]
	var out [][]byte
	for at := d.slots[m.slot].first; at != 0; at = d.found[at-1].next {
		o := d.found[at-1]
		if o.kind == m.kind && m.message {
			out = append(out, o.raw)
			continue
		}
		if o.kind == m.kind {
			out = append(out, loose(o))
			continue
		}
		for rest := o.raw; len(rest) > 0; {
			var err error
			if o, rest, err = element(rest, m.kind); err != nil {
				return nil, err
			}
			out = append(out, loose(o))
		}
	}
	return out, nil
}

// loose is a value as the field 1 of a message, where elementReader finds it.
func loose(o occurrence) []byte {
	dst := protowire.AppendTag(nil, 1, o.kind)
	switch o.kind {
	case protowire.VarintType:
		return protowire.AppendVarint(dst, o.bits)
	case protowire.Fixed32Type:
		return protowire.AppendFixed32(dst, uint32(o.bits))
	case protowire.Fixed64Type:
		return protowire.AppendFixed64(dst, o.bits)
	}
	return protowire.AppendBytes(dst, o.raw)
}

// byKey finds each call's answer by its key.
func (b *batching) byKey(elements [][]byte, calls [][]json.RawMessage, out []outcome, limit int) {
	found := map[string][][]byte{}
	for _, e := range elements {
		key, err := b.key.json(e, limit)
		if err != nil {
			for i := range out {
				out[i].err = unfit(b.rpc, err)
			}
			return
		}
		found[textOf(key)] = append(found[textOf(key)], e)
	}
	for i, call := range calls {
		value, err := b.of.value(call)
		if err != nil {
			out[i].err = source.Errorf(source.Failed, "%s: %w", b.rpc.name, err)
			continue
		}
		mine := found[textOf(value)]
		switch {
		case b.repeated:
			out[i].answer, out[i].err = b.gather(mine, limit)
		case len(mine) == 0 && b.missing:
			out[i].answer = append([]byte(nil), null...)
		case len(mine) == 0:
			out[i].err = source.Errorf(source.Unfit, "%s answered %d of %d calls, and has no element whose key is %.60q", b.rpc.name, len(found), len(calls), textOf(value))
		case len(mine) > 1:
			out[i].err = source.Errorf(source.Unfit, "%s answered with %d elements whose key is %.60q; expected one", b.rpc.name, len(mine), textOf(value))
		default:
			out[i].answer, out[i].err = b.read(mine[0], limit)
		}
	}
}

// gather makes a list of elements.
func (b *batching) gather(elements [][]byte, limit int) ([]byte, error) {
	dst := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		one, err := b.read(e, limit)
		if err != nil {
			return nil, err
		}
		if dst = append(dst, one...); len(dst) > limit {
			return nil, unfit(b.rpc, errLarge)
		}
	}
	return append(dst, ']'), nil
}
