package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
)

// Record is all that a request depended on. Replayed with the same artifact,
// anywhere, it gives the same answer, bit for bit.
type Record struct {
	Artifact string          `json:"artifact"` // SHA-256, hex
	View     string          `json:"view"`     // "shop.featured"
	Input    json.RawMessage `json:"input"`
	Now      int64           `json:"now,string"`  // nanoseconds since the Unix epoch
	Seed     int64           `json:"seed,string"` // 64 bits
	Answers  []Answer        `json:"answers,omitempty"`
	Verdicts []Verdict       `json:"verdicts,omitempty"`

	// What came of it.
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"`
	Gas    int64           `json:"gas,omitempty"` // that the last pass spent
}

// Answer is what a call brought: a body, or with Error the reason why none.
type Answer struct {
	Operation string          `json:"operation"` // "market/services.Catalog.offers"
	Args      json.RawMessage `json:"args"`      // canonical
	Body      json.RawMessage `json:"body,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// Verdict says that a scope expired or was shed; with site and path 0, that the
// view's own time went by.
type Verdict struct {
	Site uint64 `json:"site,string"`
	Path uint64 `json:"path,string"`
	Shed bool   `json:"shed,omitempty"` // else it expired
}

// fill writes the record of a request that has ended.
func (r *request) fill(to *Record, input, answer []byte, err error) {
	*to = Record{Artifact: r.program.hash, View: r.view.meta.QualifiedName(), Input: raw(input), Now: r.now, Seed: r.seed, Gas: r.gas}
	for i := range r.calls {
		c := &r.calls[i]
		a := Answer{Operation: r.program.manifest.Operations[c.op].QualifiedName(), Args: raw(c.args)}
		switch c.state {
		case callReady:
			a.Body = raw(c.body)
		case callFailed:
			a.Error = c.err.Error()
		default:
			continue // nothing came of it
		}
		to.Answers = append(to.Answers, a)
	}
	for i := range r.scopes {
		if s := &r.scopes[i]; s.verdict != abi.Live {
			to.Verdicts = append(to.Verdicts, Verdict{Site: s.site, Path: s.path, Shed: s.verdict == abi.Shed})
		}
	}
	if errors.Is(err, ErrDeadline) {
		to.Verdicts = append(to.Verdicts, Verdict{})
	}
	if err != nil {
		to.Error = err.Error()
		return
	}
	to.Output = raw(answer)
}

func raw(b []byte) json.RawMessage { return append(json.RawMessage{}, b...) }

// replay finds a record's answers and verdicts.
type replay struct {
	answers  map[string]*Answer // by operation's number and arguments
	verdicts map[scopeKey]abi.Verdict
	expired  bool // the view's own time went by while it waited
}

// ErrArtifact says that a record is of another artifact.
var ErrArtifact = errors.New("the record is of another artifact")

// Replay answers a record's request again. The error is what the request ends
// with, or says why the record is not this program's.
func (p *Program) Replay(ctx context.Context, dst []byte, rec *Record) ([]byte, error) {
	v, err := p.View(rec.View)
	if err != nil {
		return dst, err
	}
	return v.Do(ctx, dst, Request{Replay: rec})
}

func (r *request) startReplay(rec *Record, anyArtifact bool) error {
	p := r.program
	if rec.Artifact != p.hash && !anyArtifact {
		return fmt.Errorf("%w: %.12s, not %.12s", ErrArtifact, rec.Artifact, p.hash)
	}
	byName := map[string]uint32{}
	for i := range p.manifest.Operations {
		byName[p.manifest.Operations[i].QualifiedName()] = uint32(i)
	}
	r.replay = &replay{answers: map[string]*Answer{}, verdicts: map[scopeKey]abi.Verdict{}}
	for i := range rec.Answers {
		a := &rec.Answers[i]
		op, ok := byName[a.Operation]
		if !ok && anyArtifact {
			continue
		}
		if !ok {
			return fmt.Errorf("the record answers %s, which the program does not have", a.Operation)
		}
		key := binary.LittleEndian.AppendUint32(nil, op)
		r.replay.answers[string(append(key, a.Args...))] = a
	}
	for _, v := range rec.Verdicts {
		if v == (Verdict{}) {
			r.replay.expired = true
			continue
		}
		verdict := abi.Expired
		if v.Shed {
			verdict = abi.Shed
		}
		r.replay.verdicts[scopeKey{v.Site, v.Path}] = verdict
	}
	r.now, r.seed = rec.Now, rec.Seed
	return nil
}

// recall prepares a call's answer from the record: it arrives as any other
// does.
func (r *request) recall(i int32) {
	c := &r.calls[i]
	key := binary.LittleEndian.AppendUint32(nil, uint32(c.op))
	a, ok := r.replay.answers[string(append(key, c.args...))]
	switch {
	case !ok:
		return // send fails it
	case a.Error != "":
		c.state, c.err = callFailed, errors.New(a.Error)
	default:
		c.state = callSent
		r.sent++
		r.inbox.put(letter{call: i, body: a.Body})
	}
}

func (r *request) replayVerdict(key scopeKey) abi.Verdict { return r.replay.verdicts[key] }
