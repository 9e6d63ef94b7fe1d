// Calls: requests out, answers in.

package grpcproto

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"towpath.dev/internal/run/source"
)

// frame is a message that is on the wire's form already.
type frame struct{ data []byte }

// frames is the codec of frames. Connect reads the details of errors with it, too,
// and these are messages of its own.
type frames struct{}

func (frames) Name() string { return "proto" }

func (frames) Marshal(message any) ([]byte, error) {
	if f, ok := message.(*frame); ok {
		return f.data, nil
	}
	return nil, fmt.Errorf("a %T is no frame", message)
}

// MarshalAppend spares the copy that Marshal's caller makes else.
func (frames) MarshalAppend(dst []byte, message any) ([]byte, error) {
	if f, ok := message.(*frame); ok {
		return append(dst, f.data...), nil
	}
	return nil, fmt.Errorf("a %T is no frame", message)
}

func (frames) Unmarshal(data []byte, message any) error {
	switch m := message.(type) {
	case *frame:
		m.data = append([]byte(nil), data...) // data is used again
		return nil
	case proto.Message:
		return proto.Unmarshal(data, m)
	}
	return fmt.Errorf("a %T is neither a frame nor a message", message)
}

// rpc is a method with how its request is made and where its answer stands.
type rpc struct {
	name    string // "shop.v1.Pricing/Lowest"
	client  *connect.Client[frame, frame]
	request *request
	answer  *answer
}

// answer finds an operation's answer in a response.
type answer struct {
	steps []*messageReader // the fields on the way; each has one member
	field *messageReader   // alone; or
	read  valueReader      // of the response as a whole
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// json is the answer in a response; null where its field is not there.
func (a *answer) json(data []byte, limit int) ([]byte, error) {
	d := decoders.Get().(*decoder)
	defer d.free()
	d.limit = limit
	for _, step := range a.steps {
		found, err := d.find(step, data)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return []byte("null"), nil
		}
		data = found
	}
	dst := make([]byte, 0, 2*len(data)+64)
	if a.field != nil {
		return d.message(a.field, dst, data)
	}
	return a.read(d, dst, occurrence{raw: data})
}

// keptFound is how many occurrences a decoder has room for that is kept.
const keptFound = 1024

// free gives a decoder to the next reading.
func (d *decoder) free() {
	if cap(d.found) > keptFound {
		d.found = nil
	}
	clear(d.found[:cap(d.found)]) // they hold on to the response
	*d = decoder{found: d.found[:0], slots: d.slots[:0]}
	decoders.Put(d)
}

// find is the content of a field that holds a message; nil when it is not there.
func (d *decoder) find(r *messageReader, data []byte) ([]byte, error) {
	found, slots := len(d.found), len(d.slots)
	defer func() { d.found, d.slots = d.found[:found], d.slots[:slots] }()
	for range r.slots {
		d.slots = append(d.slots, slot{})
	}
	if err := d.collect(r, slots, data); err != nil {
		return nil, err
	}
	s := d.slots[slots+r.members[0].slot]
	if s.first == 0 {
		return nil, nil
	}
	if raw := d.merged(s); raw != nil {
		return raw, nil
	}
	return []byte{}, nil
}

// caller asks one operation. It implements source.Caller.
type caller struct {
	source *Source
	single *rpc      // nil when only the batch method answers
	batch  *batching // nil without
	nones  []connect.Code
}

var null = []byte("null")

// Call implements source.Caller.
func (c *caller) Call(ctx context.Context, b *source.Batch, done func(i int, answer []byte, err error)) {
	ctx, cancel := context.WithTimeout(ctx, c.source.timeout)
	defer cancel()
	if c.batch != nil && (len(b.Args) > 1 || c.single == nil) {
		c.together(ctx, b, done)
		return
	}
	each(len(b.Args), c.source.parallel, func(i int) {
		answer, err := c.one(ctx, b.Args[i], &b.About)
		done(i, answer, err)
	})
}

// AtOnce is part of source.AtOnce.
func (c *caller) AtOnce(calls int) bool { return calls == 1 || c.batch != nil }

// each calls f for 0 to n-1 from at most so many goroutines, which have ended when
// it returns.
func each(n, parallel int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	var begun atomic.Int64
	var workers sync.WaitGroup
	for range min(n, parallel) {
		workers.Go(func() {
			for i := int(begun.Add(1)) - 1; i < n; i = int(begun.Add(1)) - 1 {
				f(i)
			}
		})
	}
	workers.Wait()
}

// one makes one call by an RPC of its own.
func (c *caller) one(ctx context.Context, args []byte, about *source.About) ([]byte, error) {
	parts, err := source.Split(args)
	if err != nil {
		return nil, err
	}
	request, err := c.single.request.append(nil, [][]json.RawMessage{parts})
	if err != nil {
		return nil, c.single.unsent(err)
	}
	data, err := c.send(ctx, c.single, request, about)
	if err != nil {
		if c.isNone(err) {
			return append([]byte(nil), null...), nil
		}
		return nil, err
	}
	answer, err := c.single.answer.json(data, c.source.maxAnswer)
	if err != nil {
		return nil, unfit(c.single, err)
	}
	return answer, nil
}

func unfit(r *rpc, err error) error {
	return source.Errorf(source.Unfit, "%s: %w", r.name, err)
}

// unsent is the error of a call whose request could not be made.
func (r *rpc) unsent(err error) error {
	return source.Errorf(source.Failed, "%s: %w", r.name, err)
}

// send makes an RPC and gives the response's bytes.
func (c *caller) send(ctx context.Context, r *rpc, data []byte, about *source.About) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, source.Errorf(source.Expired, "%s was not asked any more: %w", r.name, err)
	}
	request := connect.NewRequest(&frame{data})
	c.source.addHeaders(request.Header(), about)
	response, err := r.client.CallUnary(ctx, request)
	if err != nil {
		return nil, c.source.failure(ctx, err, r.name)
	}
	return response.Msg.data, nil
}

// addHeaders writes what accompanies each request. The deadline is not among it:
// the protocols have a form of their own for that.
func (s *Source) addHeaders(h http.Header, about *source.About) {
	for name, values := range s.headers {
		h[name] = values
	}
	for _, x := range [...]struct{ name, value string }{
		{"Towpath-Request", about.Request}, {"Towpath-Criticality", about.Criticality}, {"Traceparent", about.TraceParent},
	} {
		if x.value != "" {
			h[x.name] = []string{x.value}
		}
	}
}

// isNone reports whether an error says that there is nothing.
func (c *caller) isNone(err error) bool {
	for _, code := range c.nones {
		if connect.IsWireError(err) && connect.CodeOf(err) == code {
			return true
		}
	}
	return false
}

// maxPause is the longest that a service may ask to be left alone.
const maxPause = time.Hour
