package jspeer

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"towpath.dev/bench/workload"
)

//go:embed server.js
var server string

// Node starts a Node process that holds the script and the inputs. Its Close
// ends the process. Where there is no node, the error is
// workload.ErrUnavailable.
func Node(function string, inputs [][]byte) (workload.Side, error) {
	path, err := exec.LookPath("node")
	if err != nil {
		return workload.Side{}, fmt.Errorf("%w: %w", workload.ErrUnavailable, err)
	}
	p, err := start(path)
	if err != nil {
		return workload.Side{}, err
	}
	load := command{Do: "load", Function: function}
	for _, body := range inputs {
		load.Inputs = append(load.Inputs, string(body))
	}
	if reply, err := p.call(load); err != nil || !reply.OK {
		p.close()
		return workload.Side{}, fmt.Errorf("node did not load %s: %w", function, err)
	}
	return workload.Side{
		Name: "node",
		Answer: func(body []byte) ([]byte, error) {
			reply, err := p.call(command{Do: "answer", Input: string(body)})
			return []byte(reply.Answer), err
		},
		Remote: p,
		Close:  p.close,
	}, nil
}

type command struct {
	Do       string   `json:"do"`
	Function string   `json:"function,omitempty"`
	Inputs   []string `json:"inputs,omitempty"`
	Input    string   `json:"input,omitempty"`
	Mode     string   `json:"mode,omitempty"`
	N        int      `json:"n,omitempty"`
}

type reply struct {
	OK     bool   `json:"ok"`
	Answer string `json:"answer"`
	Micros int64  `json:"micros"`
}

// process is a running Node with one command under way at a time.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func start(path string) (*process, error) {
	cmd := exec.Command(path, "--eval", decisions+server)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: in, out: json.NewDecoder(out)}, nil
}

func (p *process) call(c command) (reply, error) {
	var r reply
	if err := json.NewEncoder(p.in).Encode(c); err != nil {
		return r, err
	}
	err := p.out.Decode(&r)
	return r, err
}

// Time is workload.Remote.
func (p *process) Time(mode workload.Mode, n int) (time.Duration, error) {
	r, err := p.call(command{Do: "time", Mode: mode.String(), N: n})
	return time.Duration(r.Micros) * time.Microsecond, err
}

// close ends the process by ending its input.
func (p *process) close() error {
	p.in.Close()
	return p.cmd.Wait()
}
