package elections

import (
	"context"
	"fmt"
	"time"

	"towpath.dev/bench/members"
	"towpath.dev/bench/process"
	"towpath.dev/bench/report"
	"towpath.dev/bench/serving"
)

// overloadRows overload a responder ten times on the machine that runs the members,
// all three of them, and ask whether they have elected another leader meanwhile.
func overloadRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	term := func() (uint64, error) {
		status, err := client.Status(ctx, c.Endpoints[0])
		if err != nil {
			return 0, err
		}
		return status.RaftTerm, nil
	}
	before, err := term()
	if err != nil {
		return nil, err
	}
	responder, err := process.Start("responder")
	if err != nil {
		return nil, err
	}
	defer responder.Kill()
	addr, err := responder.Expect("listening")
	if err != nil {
		return nil, err
	}
	const span = 30 * time.Second
	burned, err := serving.Burn(addr, span)
	if err != nil {
		return nil, err
	}
	after, err := term()
	if err != nil {
		return nil, err
	}
	return []report.Row{{
		Name: "etcd elections while a responder is overloaded", Value: fmt.Sprint(after - before), Ratio: float64(after - before), Bar: 0,
		Note: fmt.Sprintf("%s at %.0f requests a second of more than 5 ms of CPU each, %.1f times what it answers calm; 3 members and the load's source beside it; it answers %.0f a second, calm %.0f; %d failed", span, burned.Asked, burned.Asked/burned.Calm, burned.Answered, burned.Calm, burned.Failed),
	}}, nil
}
