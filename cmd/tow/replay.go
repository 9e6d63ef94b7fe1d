// A fault, told in full: the compiled program knows its kind and place; the
// interpreter, which means the same, answers the recorded request again and
// says of which values and through which calls it came.

package main

import (
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/run/engine"
)

// tellingGas is what retelling a fault may spend. The interpreter takes a second
// for some millions of units: a fault that comes later is told without it.
const tellingGas = 2_000_000

// retell runs a recorded request on the interpreter. It gives the fault that
// ends it, nil when something else does.
//
// It knows no bound on memory, and what spends a request's gas would take it
// half a minute; so it runs with less gas, and a run out of gas is told as far
// as that reaches.
func retell(res *compile.Result, rec *engine.Record) *interp.Fault {
	var view *core.Func
	for _, f := range viewsOf(res) {
		if f.QualifiedName() == rec.View {
			view = f
		}
	}
	if view == nil {
		return nil
	}
	m := interp.New(res.Program, interp.Options{Now: rec.Now, Seed: rec.Seed, Gas: tellingGas, World: newRecordWorld(rec)})
	input, err := m.DecodeJSON(inputType(view), rec.Input)
	if err != nil {
		return nil
	}
	var fault *interp.Fault
	if _, err := m.Run(view, input.(*interp.Record).Fields); errors.As(err, &fault) {
		return fault
	}
	return nil
}

// inputType is the record that a view's input is: a field for each parameter.
func inputType(view *core.Func) core.Type {
	def := &core.TypeDef{Module: view.Module, Name: view.Name, Kind: core.Record}
	ctor := &core.Ctor{Def: def, Name: view.Name}
	for _, p := range view.Params {
		ctor.Fields = append(ctor.Fields, &core.Field{Name: p.Name, JSON: p.Name, Type: p.Type, Default: p.Default})
	}
	def.Ctors = []*core.Ctor{ctor}
	return &core.Con{Def: def}
}

// recordWorld answers from a record; it is an interp.World.
type recordWorld struct {
	answers  map[string]*engine.Answer
	verdicts map[[2]uint64]abi.Verdict
}

func newRecordWorld(rec *engine.Record) *recordWorld {
	w := &recordWorld{answers: map[string]*engine.Answer{}, verdicts: map[[2]uint64]abi.Verdict{}}
	for i := range rec.Answers {
		a := &rec.Answers[i]
		w.answers[a.Operation+string(a.Args)] = a
	}
	for _, v := range rec.Verdicts {
		verdict := abi.Expired
		if v.Shed {
			verdict = abi.Shed
		}
		w.verdicts[[2]uint64{v.Site, v.Path}] = verdict
	}
	return w
}

func (w *recordWorld) Ask(c *interp.Call) (interp.Answer, error) {
	a, ok := w.answers[c.Op.QualifiedName()+string(c.Canonical)]
	switch {
	case !ok:
		return interp.Answer{}, fmt.Errorf("%s was not recorded", c.Op.QualifiedName())
	case a.Error != "":
		return interp.Answer{}, errors.New(a.Error)
	}
	return interp.Answer{JSON: a.Body}, nil
}

func (w *recordWorld) Verdict(site core.Site, path uint64, _ int64, _ bool) abi.Verdict {
	return w.verdicts[[2]uint64{uint64(site), path}]
}
