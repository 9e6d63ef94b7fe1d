package serve

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"towpath.dev/internal/run/admit"
	"towpath.dev/internal/run/source"
)

// TestBrownout: as load grows, optional scopes are left out before requests are
// refused, those of bulk requests before those of critical ones, and answers say so.
func TestBrownout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Admission: admit.Options{Capacity: 0.05}})
		s.Put("shop", release(t, s, shopArtifact(), answers(func(context.Context, string) (string, error) {
			time.Sleep(20 * time.Millisecond)
			return `"a hint"`, nil
		})))
		type tally struct{ whole, shed, refused atomic.Int64 }
		var critical, bulk tally
		var wg sync.WaitGroup
		send := func(class string, to *tally) {
			wg.Go(func() {
				status, header, body := ask(s, "POST", "/v1/shop/hinted", `{"item":"lamp"}`, "Towpath-Criticality", class)
				switch {
				case status == 200 && body == `"a hint"` && header["Towpath-Shed"] == nil:
					to.whole.Add(1)
				case status == 200 && body == `"none"` && header.Get("Towpath-Shed") == "1":
					to.shed.Add(1)
				case (status == 503 || status == 429) && header.Get("Retry-After") != "" && strings.Contains(body, "https://towpath.dev/problems/over"):
					to.refused.Add(1)
				default:
					t.Errorf("%s: %d %v %s", class, status, header, body)
				}
			})
		}
		// A call is counted as 0.1 ms of work: a tenth of the capacity for critical
		// requests, and twice of it for bulk ones.
		for i := range 20_000 {
			if i%20 == 0 {
				send("critical", &critical)
			}
			send("bulk", &bulk)
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		t.Logf("critical: %d whole, %d shed, %d refused; bulk: %d, %d, %d", critical.whole.Load(), critical.shed.Load(), critical.refused.Load(),
			bulk.whole.Load(), bulk.shed.Load(), bulk.refused.Load())
		if n := critical.whole.Load(); n < 990 {
			t.Errorf("%d of 1000 critical requests were answered whole", n)
		}
		if bulk.shed.Load() < 1000 {
			t.Errorf("only %d bulk requests were answered without what is optional", bulk.shed.Load())
		}
		if n := s.programs.Load().byName["shop"].now.Load().main.Counts().Shed.Load(); n != bulk.shed.Load()+critical.shed.Load() {
			t.Errorf("%d scopes are counted as shed", n)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestSpans: a request's span is its caller's child, calls carry it on, and passes
// and calls are its children.
func TestSpans(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	var told string
	s := start(t, Options{Tracer: provider.Tracer("test")}, abouts(func(about source.About) { told = about.TraceParent }))
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if status, _, body := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "traceparent", parent); status != 200 {
		t.Fatal(status, body)
	}
	children := map[string]int{}
	var root string
	for _, span := range spans.GetSpans() {
		if span.Name == "shop.left" {
			root = span.SpanContext.SpanID().String()
			if span.Parent.SpanID().String() != "b7ad6b7169203331" || span.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
				t.Errorf("its parent is %v", span.Parent)
			}
		}
	}
	for _, span := range spans.GetSpans() {
		if span.Parent.SpanID().String() == root {
			children[span.Name]++
		}
	}
	if root == "" || children["pass"] != 2 || children["shop.Stock.left"] != 1 || !strings.Contains(told, root) {
		t.Errorf("children %v of %s; the service was told %s", children, root, told)
	}
	// A request whose spans are kept is an example of how long its view takes.
	_, header, _ := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "traceparent", parent)
	_, _, body := ask(s, "GET", "/metrics", "", "Accept", "application/openmetrics-text; version=1.0.0")
	if want := `# {request="` + header.Get("Towpath-Request") + `"}`; !strings.Contains(body, want) {
		t.Errorf("no example %s in the metrics", want)
	}
}
