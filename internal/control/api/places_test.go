package api_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// TestPlaces: a node whose cell or region cannot be one, or that tells of what is not its
// environment's, is refused, and nothing is written of what it says.
func TestPlaces(t *testing.T) {
	h := open(t, true, func(o *api.Options) {
		store, err := blob.Open(t.TempDir(), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Deployments = &api.Deployments{Objects: release.NewObjects(store), Events: store, Hub: api.NewHub()}
	})
	pair := h.join(t, "n1", "prod")
	node := h.as(t, client.ControlOptions{Certificate: &pair})
	report := func(s fleet.Status) error {
		_, err := node.Nodes.ReportStatus(t.Context(), &v1.ReportStatusRequest{Status: s.Encode()})
		return err
	}
	for _, cell := range []string{"us/1", "/", "EU", "eu 1", "../x", strings.Repeat("x", 64)} {
		stream, err := node.Nodes.Attach(t.Context(), &v1.AttachRequest{Cell: cell, Incarnation: "1"})
		if err == nil {
			stream.Receive()
			err = stream.Err()
			stream.Close()
		}
		wantCode(t, "a node in the cell "+cell, err, connect.CodeInvalidArgument)
		wantCode(t, "a status of the cell "+cell, report(fleet.Status{Cell: cell}), connect.CodeInvalidArgument)
		wantCode(t, "a status of the region "+cell, report(fleet.Status{Cell: "main", Region: cell}), connect.CodeInvalidArgument)
	}
	wantCode(t, "a status without a cell", report(fleet.Status{}), connect.CodeInvalidArgument)
	for name, deployment := range map[string]string{"a/b": "", "": "", "shop": "shop.test.1", "other": "shop.prod.1", "nail": "nail.prod.1/node/x", "saw": "saw.prod.01"} {
		s := fleet.Status{Cell: "main", Programs: map[string]fleet.Running{name: {Deployment: deployment}}}
		wantCode(t, name+" of "+deployment, report(s), connect.CodeInvalidArgument)
	}
	wantCode(t, "a long address", report(fleet.Status{Cell: "main", Address: strings.Repeat("x", 256)}), connect.CodeInvalidArgument)
	if page, err := h.store.Range(t.Context(), election.Span{Keys: election.Prefix(fleet.Prefix)}); err != nil || page.Count != 0 {
		t.Errorf("something was written: %v, %v", page, err)
	}
	if err := report(fleet.Status{Cell: "main", Region: "eu", Programs: map[string]fleet.Running{"shop": {Deployment: "shop.prod.1"}}}); err != nil {
		t.Error(err)
	}
}
