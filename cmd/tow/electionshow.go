//go:build !solo

// tow election show and watch: who holds what, and what becomes of it.

package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func electionShowCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	c := &cobra.Command{
		Use:   "show GROUP",
		Short: "Show who holds what now",
		Long: `Show a group's seats with their holders and fencing tokens, and its candidates. What
is shown is linearizable: every hand-over that was over before you asked is in it.`,
		Args: exactly("a group; \"tow election list\" lists them"),
		RunE: func(c *cobra.Command, args []string) error {
			return e.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Election.GetGroup(ctx, &v1.GetGroupRequest{Group: args[0]})
				if err != nil {
					return err
				}
				if e.json {
					return e.printJSON(r)
				}
				if r.GetConfig().GetSeats() == 0 && len(r.GetConfig().GetPartitions()) == 0 && len(r.GetSeats()) == 0 {
					return wrong{fmt.Errorf("there is no group %q; \"tow election list\" lists those that there are", args[0])}
				}
				return e.show(r)
			})
		},
	}
	e.flags(c)
	return c
}

func (e *electionAsk) show(r *v1.GetGroupResponse) error {
	partitions := len(r.GetConfig().GetPartitions()) > 0
	table := tabwriter.NewWriter(e.out, 0, 0, 3, ' ', 0)
	head := "SEAT\tHELD BY\tCANDIDATE\tTOKEN"
	if partitions {
		head = "PARTITION\tHELD BY\tCANDIDATE\tTOKEN\tGOES TO"
	}
	fmt.Fprintln(table, head)
	free := 0
	for _, s := range r.GetSeats() {
		holder, candidate, token := s.GetHolderName(), s.GetCandidate(), tokenText(s.GetToken())
		if candidate == "" {
			free++
			holder, candidate, token = "nobody", "-", "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s", s.GetName(), holder, candidate, token)
		if partitions && s.GetPlanned() != s.GetCandidate() {
			fmt.Fprintf(table, "\t%s", s.GetPlanned())
		}
		fmt.Fprintln(table)
	}
	if len(r.GetCandidates()) > 0 {
		fmt.Fprintln(table, "\nCANDIDATE\tNAME\tHOLDS\tWANTS\t")
	}
	for _, c := range r.GetCandidates() {
		wants, note := fmt.Sprint(c.GetWant()), ""
		if partitions {
			wants = "a share"
		}
		if c.GetDraining() {
			note = "draining"
		}
		if c.GetId() == r.GetAssigner() {
			note = strings.TrimSpace(note + " assigner")
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", c.GetId(), c.GetName(), c.GetHeld(), wants, note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "\n%s, %d free; %s; revision %d\n", count(len(r.GetSeats()), map[bool]string{true: "partition", false: "seat"}[partitions]), free, count(len(r.GetCandidates()), "candidate"), r.GetRevision())
	return nil
}

func tokenText(t *v1.Token) string {
	return fmt.Sprintf("%d.%d", t.GetGeneration(), t.GetRevision())
}

func electionWatchCommand(u *ui) *cobra.Command {
	e := &electionAsk{ui: u}
	var from int64
	c := &cobra.Command{
		Use:   "watch GROUP",
		Short: "Show every change of a group",
		Long: `Print a line for each change of a group, beginning with what there is. It goes on by
itself when the connection breaks, at the revision where it was, and says so if
changes in between are no longer kept.`,
		Args: exactly("a group"),
		RunE: func(c *cobra.Command, args []string) error { return e.watch(c.Context(), args[0], from) },
	}
	c.Flags().Int64Var(&from, "from", 0, "begin with the first change at `REVISION` or later")
	e.flags(c)
	return c
}

// rewatchTime is how long a watch waits before it goes on after a failure.
const rewatchTime = 500 * time.Millisecond

func (e *electionAsk) watch(ctx context.Context, group string, from int64) error {
	api, err := e.at.open()
	if err != nil {
		return err
	}
	defer api.Close()
	told := false
	for {
		next, err := e.follow(ctx, api, group, from)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
		case connect.CodeOf(err) != connect.CodeUnavailable || next == 0:
			return e.at.told(err)
		case !told:
			told = true
			fmt.Fprintf(e.err, "The connection is lost; it goes on when %s answers.\n", e.at.url)
		}
		if next > from {
			told = false
		}
		from = next
		select {
		case <-time.After(rewatchTime):
		case <-ctx.Done():
			return nil
		}
	}
}

// follow prints changes until the stream ends, and returns where to go on: 0 where it
// never began.
func (e *electionAsk) follow(ctx context.Context, api *client.Control, group string, from int64) (int64, error) {
	stream, err := api.Election.Observe(ctx, &v1.ObserveRequest{Group: group, From: from})
	if err != nil {
		return from, err
	}
	defer stream.Close()
	for stream.Receive() {
		m := stream.Msg()
		if m.GetKind() == v1.ObserveResponse_KIND_UNSPECIFIED {
			continue
		}
		if from != 0 || m.GetKind() == v1.ObserveResponse_KIND_SYNCED {
			from = m.GetRevision() + 1
		}
		if e.json {
			text, err := protojson.Marshal(m)
			if err != nil {
				return from, err
			}
			fmt.Fprintf(e.out, "%s\n", text)
			continue
		}
		fmt.Fprintf(e.out, "%8d  %s\n", m.GetRevision(), e.line(m))
	}
	return from, stream.Err()
}

// line is a change as a person reads it.
func (e *electionAsk) line(m *v1.ObserveResponse) string {
	s, c := m.GetSeat(), m.GetCandidate()
	kind := func(style, word string) string { return paint(e.outColor, style, fmt.Sprintf("%-10s", word)) }
	switch m.GetKind() {
	case v1.ObserveResponse_KIND_HELD:
		return fmt.Sprintf("%s %s by %s (%s), token %s", kind(green, "held"), s.GetName(), s.GetHolderName(), s.GetCandidate(), tokenText(s.GetToken()))
	case v1.ObserveResponse_KIND_FREE:
		return fmt.Sprintf("%s %s, was held by %s (%s)", kind(red, "free"), s.GetName(), s.GetHolderName(), s.GetCandidate())
	case v1.ObserveResponse_KIND_JOINED:
		return fmt.Sprintf("%s %s (%s), wants %d", kind(cyan, "candidate"), c.GetName(), c.GetId(), c.GetWant())
	case v1.ObserveResponse_KIND_LEFT:
		return fmt.Sprintf("%s %s (%s)", kind(cyan, "left"), c.GetName(), c.GetId())
	case v1.ObserveResponse_KIND_CONFIGURED:
		if p := m.GetConfig().GetPartitions(); len(p) > 0 {
			return kind(bold, "configured") + " " + count(len(p), "partition")
		}
		return kind(bold, "configured") + " " + count(int(m.GetConfig().GetSeats()), "seat")
	case v1.ObserveResponse_KIND_DRAINING:
		switch {
		case c != nil && !c.GetDraining():
			return fmt.Sprintf("%s %s (%s)", kind(bold, "undrained"), c.GetName(), c.GetId())
		case c != nil:
			return fmt.Sprintf("%s %s (%s)", kind(bold, "draining"), c.GetName(), c.GetId())
		}
		return fmt.Sprintf("%s %s", kind(bold, "draining"), s.GetName())
	case v1.ObserveResponse_KIND_PLANNED:
		return fmt.Sprintf("%s %s goes to %s", kind(dim, "planned"), s.GetName(), or(s.GetPlanned(), "nobody"))
	case v1.ObserveResponse_KIND_SYNCED:
		return kind(dim, "now")
	case v1.ObserveResponse_KIND_GAP:
		return kind(red, "gap") + " changes until here are no longer kept; what there is follows"
	}
	return strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "KIND_"))
}
