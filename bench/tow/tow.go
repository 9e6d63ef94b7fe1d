// Package tow is Towpath's own side of the benchmarks: the workloads as Tow
// projects, and the seam through which Towpath runs them.
//
// The seam is the small interface Engine, so that the workloads, the peers and
// the harness stand whether or not this build can run Tow.
//
//	side, err := tow.New(workload.W1())
//	if errors.Is(err, workload.ErrUnavailable) { … }
package tow

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"towpath.dev/bench/workload"
)

//go:embed w1 w1d w2 w3 w4
var projects embed.FS

// Project is the folder of a workload's Tow project: "w1".
func Project(name string) (fs.FS, error) { return fs.Sub(projects, name) }

// Engine compiles and loads Tow projects.
type Engine interface {
	// Load compiles a project and makes it ready to serve. Calls go to sources,
	// which is nil for projects that declare no service.
	Load(project fs.FS, sources Sources) (Program, error)
}

// Sources answers one batch of calls of an operation ("Merchants.profile"): to
// each JSON array of arguments the answer's JSON goes in the same place.
type Sources func(ctx context.Context, op string, args, answers [][]byte) error

// Program is a loaded project. It need not be safe for concurrent use.
type Program interface {
	// AppendCall answers one request of a view ("w1.best"), JSON to JSON,
	// appended to dst.
	AppendCall(ctx context.Context, dst []byte, view string, input []byte) ([]byte, error)
	// Pass answers one request, keeps its decoded input and its calls' answers,
	// and gives the loop that runs the view's last pass over them: all of the
	// decision, without decoding and encoding.
	Pass(ctx context.Context, view string, input []byte) (workload.Loop, error)
	// Close frees what the program holds.
	Close() error
}

// New is the Tow side of a workload. While no engine is built in, the error is
// workload.ErrUnavailable.
func New(w *workload.Workload) (workload.Side, error) {
	e := towEngine()
	if e == nil {
		return workload.Side{}, fmt.Errorf("%w: no engine for Tow is built in", workload.ErrUnavailable)
	}
	project, err := Project(w.Project)
	if err != nil {
		return workload.Side{}, err
	}
	var sources Sources
	if w.Store != nil {
		sources = w.Store.Batch
	}
	program, err := e.Load(project, sources)
	if err != nil {
		return workload.Side{}, err
	}
	return newSide(program, w.View), nil
}

func newSide(program Program, view string) workload.Side {
	ctx := context.Background()
	var answer []byte
	return workload.Side{
		Name: "tow",
		Answer: func(body []byte) (_ []byte, err error) {
			answer, err = program.AppendCall(ctx, answer[:0], view, body)
			return answer, err
		},
		Logic: func(body []byte) (workload.Loop, error) { return program.Pass(ctx, view, body) },
		Close: program.Close,
	}
}

// towEngine is Towpath's engine.
func towEngine() Engine { return compiled{} }
