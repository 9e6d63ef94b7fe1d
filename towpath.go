// Package towpath embeds Tow: it compiles projects and answers their views.
//
// Tow is a small pure language for the decisions on a backend's hot path. A
// project is a folder of Tow sources with a tow.toml; its views are pure
// functions from JSON to JSON whose calls to other services the runtime makes
// side by side, batches, shares and bounds in time.
//
//	artifact, err := towpath.CompileDir("shop")
//	program, err := towpath.Load(ctx, artifact, towpath.Options{Source: source})
//	defer program.Close(ctx)
//	answer, err := program.Call(ctx, "shop.featured", []byte(`{"product":"p1"}`))
//
// An artifact is one file and needs no sources; Load is what a server does at
// its start. A Program is safe for concurrent use, and a view that makes no
// calls is answered without an allocation by View.AppendCall.
package towpath

import (
	"context"

	"towpath.dev/internal/run/engine"
)

// Program is a loaded artifact.
type Program struct {
	engine *engine.Program
	views  map[*engine.View]*View
}

// View is an entry of a Program, found once and called often.
type View struct{ engine *engine.View }

// Load makes an artifact ready to answer. The error says what is wrong with the
// options or the artifact, and what to do about it. Close frees the Program.
func Load(ctx context.Context, artifact []byte, opts Options) (*Program, error) {
	p, err := engine.Load(ctx, artifact, opts.engine())
	if err != nil {
		return nil, err
	}
	program := &Program{engine: p, views: map[*engine.View]*View{}}
	for _, v := range p.Views() {
		program.views[v] = &View{v}
	}
	return program, nil
}

// Close refuses new requests, waits for those under way as long as ctx lasts, and
// frees everything when the last of them has ended.
func (p *Program) Close(ctx context.Context) error { return p.engine.Close(ctx) }

// Warm makes instances until n are ready, at most Options.Idle, so that the first
// requests do not pay for them.
func (p *Program) Warm(n int) error { return p.engine.Warm(n) }

// Hash is the SHA-256 of the artifact, in hex.
func (p *Program) Hash() string { return p.engine.Hash() }

// View finds a view by its qualified name, "module.name", or by its name alone
// where no other module has a view of that name.
func (p *Program) View(name string) (*View, error) {
	v, err := p.engine.View(name)
	if err != nil {
		return nil, err
	}
	return p.views[v], nil
}

// Views are all views, by module and name as the artifact lists them.
func (p *Program) Views() []*View {
	var views []*View
	for _, v := range p.engine.Views() {
		views = append(views, p.views[v])
	}
	return views
}

// Call answers one request: the input is a JSON object with a member for each
// of the view's parameters, the answer is compact JSON.
//
// The error is an *InputError, a *Fault, a *CallError, a *LimitError, ErrClosed,
// that of ctx, or says that there is no such view.
func (p *Program) Call(ctx context.Context, view string, input []byte) ([]byte, error) {
	return p.AppendCall(ctx, nil, view, input)
}

// AppendCall is Call that appends the answer to dst. On an error dst comes back
// as it was.
func (p *Program) AppendCall(ctx context.Context, dst []byte, view string, input []byte) ([]byte, error) {
	out, err := p.engine.AppendCall(ctx, dst, view, input)
	if err != nil {
		return out, public(err)
	}
	return out, nil
}

// Name is the view's qualified name: "market/shop.featured".
func (v *View) Name() string { return v.engine.Meta().QualifiedName() }

// Doc is the comment above the view.
func (v *View) Doc() string { return v.engine.Meta().Doc }

// Calls reports whether the view may ask a Source.
func (v *View) Calls() bool { return v.engine.Meta().Calls }

// AppendCall answers one request; see Program.Call. A view that makes no calls
// allocates nothing but what dst needs to grow.
func (v *View) AppendCall(ctx context.Context, dst, input []byte) ([]byte, error) {
	out, err := v.engine.AppendCall(ctx, dst, input)
	if err != nil {
		return out, public(err)
	}
	return out, nil
}

// Record answers one request and records all that it depended on, whether it
// was answered or not.
func (v *View) Record(ctx context.Context, input []byte) ([]byte, *Record, error) {
	rec := new(Record)
	out, err := v.engine.Do(ctx, nil, engine.Request{Input: input, Record: &rec.engine})
	return out, rec, public(err)
}

// Replay answers a recorded request again, bit for bit, without asking any
// source: the answer is the recorded one, and so is the error. A record of another
// artifact gives an ErrArtifact.
func (p *Program) Replay(ctx context.Context, rec *Record) ([]byte, error) {
	out, err := p.engine.Replay(ctx, nil, &rec.engine)
	return out, public(err)
}
