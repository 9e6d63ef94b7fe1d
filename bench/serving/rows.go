// Package serving measures a responder over HTTP beside what its users would
// write by hand, each server in a process of its own.
//
// What is compared is the servers' CPU time, read from the kernel, or the times
// that requests take; the sides are measured in turns. See cmd/serving.
package serving

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"towpath.dev/bench/report"
	"towpath.dev/bench/workload"
)

type (
	Row   = report.Row
	Group = report.Group
)

// Groups are all of them.
var Groups = []Group{
	{Name: "cpu", Measure: cpuRows}, {Name: "three", Measure: threeRows}, {Name: "batch", Measure: batchRows}, {Name: "w4", Measure: w4Rows}, {Name: "priced", Measure: pricedRows},
	{Name: "overload", Measure: overloadRows}, {Name: "swap", Measure: swapRows}, {Name: "waiting", Measure: waitingRows},
}

const rounds = 9

// cpuRows compare the CPU that a request of W1 costs the server.
func cpuRows() ([]Row, error) {
	w := workload.W1()
	type side struct {
		*child
		series []float64
		bar    float64
		note   string
	}
	var sides []*side
	defer func() {
		for _, s := range sides {
			if s.child != nil {
				s.stop()
			}
		}
	}()
	add := func(bar float64, c *child, err error) error {
		var missing *missingPeer
		if errors.As(err, &missing) {
			sides = append(sides, &side{bar: bar, note: missing.Error(), child: nil})
			return nil
		}
		if err != nil {
			return err
		}
		sides = append(sides, &side{child: c, bar: bar})
		return nil
	}
	for _, each := range []struct {
		bar   float64
		start func() (*child, error)
	}{
		{0, func() (*child, error) { return startSelf("tow", "/v1/w1/w1.best") }},
		{1.6, func() (*child, error) { return startSelf("bare", "/") }},
		{0.4, func() (*child, error) { return startSelf("go-std", "/") }},
		{0.5, startNode}, {0.25, startWorkerd},
	} {
		c, err := each.start()
		if err := add(each.bar, c, err); err != nil {
			return nil, err
		}
	}
	for range rounds {
		for _, s := range sides {
			if s.child == nil {
				continue
			}
			took, err := s.perRequest(w.Inputs, 32, 8000)
			if err != nil {
				return nil, err
			}
			s.series = append(s.series, float64(took.Nanoseconds()))
		}
	}
	var rows []Row
	tow := sides[0]
	for _, s := range sides[1:] {
		row := Row{Name: "W1 over HTTP, server CPU a request", Bar: s.bar, Note: s.note}
		if s.child != nil {
			ratios := make([]float64, rounds)
			for i := range ratios {
				ratios[i] = tow.series[i] / s.series[i]
			}
			row.Name += " vs " + s.name
			row.Ratio = median(ratios)
			row.Value = fmt.Sprintf("%.1f µs vs %.1f µs", median(tow.series)/1000, median(s.series)/1000)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func quantile(took []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// missingPeer is a side that this machine does not have.
type missingPeer struct{ what string }

func (e *missingPeer) Error() string { return e.what }

func startNode() (*child, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, &missingPeer{"node is not installed"}
	}
	return start("node", "/", exec.Command(node, filepath.Join(Root, "serving/js/node.mjs"), filepath.Join(Root, "peers/jspeer/decisions.js")))
}

// startWorkerd starts the runtime of Cloudflare's Workers, which npm brings.
func startWorkerd() (*child, error) {
	dir := filepath.Join(Root, "serving/js")
	if _, err := os.Stat(filepath.Join(dir, "node_modules/workerd/bin/workerd")); err != nil {
		return nil, &missingPeer{"workerd is not installed: npm ci in serving/js"}
	}
	return start("workerd", "/", exec.Command("node", filepath.Join(dir, "workerd.mjs"), filepath.Join(Root, "peers/jspeer/decisions.js")))
}

// withCalls runs something with the services and a responder over them.
func withCalls(server, path string, run func(*services, *child) error) error {
	s, err := startServices()
	if err != nil {
		return err
	}
	defer s.stop()
	c, err := startSelf(server, path)
	if err != nil {
		return err
	}
	defer c.stop()
	return run(s, c)
}

// manyOf makes bodies {"name": n}, all different.
func manyOf(path, name string, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = post(path, someN(name))
	}
	return out
}

// threeRows: three calls of 5 ms that do not need each other.
func threeRows() (rows []Row, err error) {
	err = withCalls("tow-calls", "", func(s *services, c *child) error {
		on, err := dial(c.addr)
		if err != nil {
			return err
		}
		defer on.Close()
		if _, err := timeEach(on, manyOf("/v1/calls/three", "n", 50), 50); err != nil {
			return err
		}
		took, err := timeEach(on, manyOf("/v1/calls/three", "n", 400), 400)
		if err != nil {
			return err
		}
		p50 := quantile(took, 0.5)
		rows = append(rows, Row{Name: "three calls of 5 ms each, p50 in ms", Value: p50.String(), Ratio: ms(p50), Bar: 6.5})
		return nil
	})
	return rows, err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// batchRows: twenty offers, one merchant call each.
func batchRows() (rows []Row, err error) {
	err = withCalls("tow-calls", "", func(s *services, c *child) error {
		const n = 100
		if err := drive(c.addr, manyOf("/v1/calls/merchants", "product", n), 4, n); err != nil {
			return err
		}
		asked := float64(s.merchants.Load()) / n
		rows = append(rows, Row{Name: "requests to the service for 20 merchants", Value: fmt.Sprintf("%.2f", asked), Ratio: asked, Bar: 1})
		return nil
	})
	return rows, err
}

// w4Rows: three dependent rounds, against the same by hand.
func w4Rows() ([]Row, error) {
	s, err := startServices()
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var conns [2]*conn
	var requests [2][][]byte
	for i, side := range []struct{ name, path string }{{"tow-w4", "/v1/w4/w4.deal"}, {"go-w4", "/"}} {
		c, err := startSelf(side.name, side.path)
		if err != nil {
			return nil, err
		}
		defer c.stop()
		if conns[i], err = dial(c.addr); err != nil {
			return nil, err
		}
		defer conns[i].Close()
		for _, body := range workload.W4().Inputs {
			requests[i] = append(requests[i], post(side.path, body))
		}
	}
	var ratios []float64
	var all [2][]float64
	for range 2 * rounds {
		var p50 [2]float64
		for i := range conns {
			took, err := timeEach(conns[i], requests[i], 200)
			if err != nil {
				return nil, err
			}
			p50[i] = float64(quantile(took, 0.5))
			all[i] = append(all[i], p50[i])
		}
		ratios = append(ratios, p50[0]/p50[1])
	}
	return []Row{{Name: "W4 over HTTP sources, p50 vs Go by hand", Ratio: median(ratios), Bar: 1.05,
		Value: fmt.Sprintf("%.0f µs vs %.0f µs", median(all[0])/1000, median(all[1])/1000)}}, nil
}

// pricedRows: an optional price that is late half the time.
func pricedRows() (rows []Row, err error) {
	err = withCalls("tow-calls", "", func(s *services, c *child) error {
		on, err := dial(c.addr)
		if err != nil {
			return err
		}
		defer on.Close()
		if _, err := timeEach(on, manyOf("/v1/calls/priced", "product", 40), 40); err != nil {
			return err
		}
		took, err := timeEach(on, manyOf("/v1/calls/priced", "product", 500), 500)
		if err != nil {
			return err
		}
		p99 := quantile(took, 0.99)
		bar := ms(max(catalogTakes, 10*time.Millisecond) + merchantsTake + time.Millisecond)
		rows = append(rows, Row{Name: "an optional price that is late half the time, p99 in ms", Value: p99.String(), Ratio: ms(p99), Bar: bar})
		return nil
	})
	return rows, err
}
