package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
)

// AttachOptions say how a node attaches.
type AttachOptions struct {
	// Version is that of the program, Address where others reach what the node serves.
	Version, Address string
	// Cell is the cell of a node that runs what is deployed. Intents hears what it shall
	// run then, all of it each time.
	Cell    string
	Intents func(*towpathv1.AttachResponse_Intents)
	// Incarnation is which run of its process the node is, as it says in its reports.
	Incarnation string
	// Attached hears of each welcome; Detached of each end of a stream or attempt that
	// failed. They are called one after the other. Nil: nobody hears.
	Attached func(*towpathv1.AttachResponse_Welcome)
	Detached func(error)
}

// How long a node waits for the control plane.
const (
	// A control node beats every 5 s.
	attachSilence = 15 * time.Second
	attachLeast   = 200 * time.Millisecond // before it tries again
	attachMost    = 10 * time.Second
)

// Attach keeps a node attached to any of a cluster's control nodes until the context
// ends, and then gives its error. It goes to another control node when one is silent or
// says that it cannot, after waits that grow to ten seconds. Only who is refused by
// name gets another error: a revoked node, or one that is no node.
func Attach(ctx context.Context, to []*Control, o AttachOptions) error {
	wait := attachLeast
	for turn := 0; ; turn++ {
		welcome, err := attach(ctx, to[turn%len(to)], o)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if o.Detached != nil {
			o.Detached(err)
		}
		switch connect.CodeOf(err) {
		case connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeInvalidArgument:
			return err
		}
		if welcome {
			wait = attachLeast
		}
		// A part of it is by chance, so that a thousand nodes do not come back at once.
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
		wait = min(2*wait, attachMost)
	}
}

var errSilent = errors.New("the control node has been silent for too long")

// attach is one stream; it tells whether the node was welcome.
func attach(ctx context.Context, to *Control, o AttachOptions) (welcome bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(attachSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	stream, err := to.Nodes.Attach(ctx, &towpathv1.AttachRequest{Version: o.Version, Address: o.Address, Cell: o.Cell, Incarnation: o.Incarnation})
	if err != nil {
		return false, either(context.Cause(ctx), err)
	}
	defer stream.Close()
	for stream.Receive() {
		silence.Reset(attachSilence)
		if i := stream.Msg().GetIntents(); i != nil && o.Intents != nil {
			o.Intents(i)
		}
		if w := stream.Msg().GetWelcome(); w != nil {
			welcome = true
			if o.Attached != nil {
				o.Attached(w)
			}
		}
	}
	return welcome, either(context.Cause(ctx), either(stream.Err(), errors.New("the control node has ended the stream")))
}

func either(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
