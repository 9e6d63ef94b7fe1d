package api_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
)

// TestPlaces: a node whose cell can be no part of a key, or that tells of what is not its
// environment's, is refused, and nothing is written of what it says. One whose names were taken
// before there was a rule for them is let in as any.
func TestPlaces(t *testing.T) {
	h := open(t, true, deployments(t))
	pair := h.join(t, "n1", "prod")
	node := h.as(t, client.ControlOptions{Certificate: &pair})
	report := func(s fleet.Status) error {
		_, err := node.Nodes.ReportStatus(t.Context(), &v1.ReportStatusRequest{Status: s.Encode()})
		return err
	}
	for _, cell := range []string{"us/1", "/", "../x", strings.Repeat("x", 256)} {
		stream, err := node.Nodes.Attach(t.Context(), &v1.AttachRequest{Cell: cell, Incarnation: "1"})
		if err == nil {
			stream.Receive()
			err = stream.Err()
			stream.Close()
		}
		wantCode(t, "a node in the cell "+cell, err, connect.CodeInvalidArgument)
		wantCode(t, "a status of the cell "+cell, report(fleet.Status{Cell: cell}), connect.CodeInvalidArgument)
	}
	wantCode(t, "a long region", report(fleet.Status{Cell: "main", Region: strings.Repeat("x", 256)}), connect.CodeInvalidArgument)
	wantCode(t, "a status without a cell", report(fleet.Status{}), connect.CodeInvalidArgument)
	for name, deployment := range map[string]string{"a/b": "", "": "", "shop": "shop.test.1", "other": "shop.prod.1", "nail": "nail.prod.1/node/x", "saw": "saw.prod.01"} {
		s := fleet.Status{Cell: "main", Programs: map[string]fleet.Running{name: {Deployment: deployment}}}
		wantCode(t, name+" of "+deployment, report(s), connect.CodeInvalidArgument)
	}
	wantCode(t, "a long address", report(fleet.Status{Cell: "main", Address: strings.Repeat("x", 256)}), connect.CodeInvalidArgument)
	if page, err := h.store.Range(t.Context(), election.Span{Keys: election.Prefix(fleet.Prefix)}); err != nil || page.Count != 0 {
		t.Errorf("something was written: %v, %v", page, err)
	}
	for _, place := range []fleet.Status{{Cell: "AZ1", Region: "US East"}, {Cell: "us_1"}, {Cell: "eu.west", Region: "eu/west"}} {
		stream, err := node.Nodes.Attach(t.Context(), &v1.AttachRequest{Cell: place.Cell, Incarnation: "1"})
		if err != nil || !stream.Receive() {
			t.Fatalf("a node in the cell %s is not attached: %v, %v", place.Cell, err, stream.Err())
		}
		place.Incarnation = "1"
		if err := report(place); err != nil {
			t.Error(err)
		}
		stream.Close()
	}
	if err := report(fleet.Status{Cell: "main", Region: "eu", Programs: map[string]fleet.Running{"shop": {Deployment: "shop.prod.1"}}}); err != nil {
		t.Error(err)
	}
}
