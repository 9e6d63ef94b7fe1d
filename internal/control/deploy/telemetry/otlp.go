package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// OTLPOptions are where spans go. URL and Source are needed.
type OTLPOptions struct {
	// URL is the collector's, such as http://HOST:4318; /v1/traces is added to it.
	URL string
	// Source is as that of [HTTP].
	Source  string
	Header  map[string]string // sent with each request, for credentials
	Client  *http.Client      // default: http.DefaultClient
	Timeout time.Duration     // of a request. 0: 10 s
	Version string            // of tow, for the spans' resource
	Log     *slog.Logger      // default: none
}

// OTLP is a [Sink] that posts spans to a collector of OpenTelemetry over HTTP.
type OTLP struct {
	o        OTLPOptions
	exporter sdktrace.SpanExporter
	taken    *taken
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	made     collected
}

// NewOTLP makes a sink, and sends nothing yet.
func NewOTLP(ctx context.Context, o OTLPOptions) (*OTLP, error) {
	if err := errors.Join(checkURL(o.URL), checkSource(o.Source)); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = postTime
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	s := &OTLP{o: o, taken: &taken{inner: client.Transport}}
	if s.taken.inner == nil {
		s.taken.inner = http.DefaultTransport
	}
	client.Transport = s.taken
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	s.exporter, err = otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(u.JoinPath("/v1/traces").String()), otlptracehttp.WithHTTPClient(&client),
		otlptracehttp.WithHeaders(o.Header),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false})) // ours goes on for ever
	if err != nil {
		return nil, fmt.Errorf("the collector %s: %w", o.URL, err)
	}
	s.provider = sdktrace.NewTracerProvider(
		sdktrace.WithIDGenerator(given{}), sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(&s.made),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: -1, AttributeCountLimit: -1, EventCountLimit: -1, LinkCountLimit: -1,
			AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1,
		}),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "towpath"), attribute.String("service.version", o.Version))))
	s.tracer = s.provider.Tracer("towpath.dev/deploy")
	return s, nil
}

// Name is part of [Sink].
func (s *OTLP) Name() string { return "otlp" }

// spansAtOnce bounds a request, by what is in it: spans, and events in them.
const spansAtOnce = 1000

// Send is part of [Sink]: it posts the spans that have become complete. What they are made of
// counts as taken once all of them are. While none is complete the mark stays, as nothing is
// lost by that and no cursor has to be written.
func (s *OTLP) Send(ctx context.Context, t *Timeline, after Mark) (has Mark, events int, err error) {
	spans := t.Spans(s.o.Source, after)
	if len(spans) == 0 {
		return after, 0, nil
	}
	for len(spans) > 0 {
		n, weight := 0, 0
		for n < len(spans) && (n == 0 || weight+1+len(spans[n].Events) <= spansAtOnce) {
			weight += 1 + len(spans[n].Events)
			n++
		}
		if err := s.post(ctx, spans[:n]); err != nil {
			return after, 0, err
		}
		spans = spans[n:]
	}
	return t.mark(), len(t.after(after)), nil
}

// post posts spans in one request. The protocol has it that whatever a collector answers with
// success is not sent again; of what it does not take then, it says why.
func (s *OTLP) post(ctx context.Context, spans []Span) error {
	s.taken.status = 0
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	err := s.exporter.ExportSpans(ctx, s.snapshots(ctx, spans))
	if err != nil && s.taken.status/100 == 2 {
		s.o.Log.Warn("the collector has refused some of the spans of deployments", "collector", s.o.URL, "error", err)
		return nil
	}
	return err
}

// Close frees what it has.
func (s *OTLP) Close(ctx context.Context) error {
	return errors.Join(s.provider.Shutdown(ctx), s.exporter.Shutdown(ctx))
}

// snapshots are spans as the SDK has them.
func (s *OTLP) snapshots(ctx context.Context, spans []Span) []sdktrace.ReadOnlySpan {
	s.made.spans = nil
	for i := range spans {
		is := &spans[i]
		ctx := trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: is.Trace, SpanID: is.Parent, TraceFlags: trace.FlagsSampled,
		}))
		_, span := s.tracer.Start(context.WithValue(ctx, idsKey{}, is), is.Name,
			trace.WithTimestamp(is.Start), trace.WithSpanKind(is.Kind), trace.WithAttributes(is.Attributes...))
		for _, e := range is.Events {
			span.AddEvent(e.Name, trace.WithTimestamp(e.Time), trace.WithAttributes(e.Attributes...))
		}
		span.SetStatus(is.status(), is.Failed)
		span.End(trace.WithTimestamp(is.End))
	}
	return slices.Clone(s.made.spans)
}

// idsKey is where the context has the span whose ids are given.
type idsKey struct{}

// given is the SDK's generator of ids that generates none.
type given struct{}

func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	s := ctx.Value(idsKey{}).(*Span)
	return s.Trace, s.ID
}

func (given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	return ctx.Value(idsKey{}).(*Span).ID
}

// collected is a processor of the SDK's that keeps the spans that have ended.
type collected struct{ spans []sdktrace.ReadOnlySpan }

func (c *collected) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (c *collected) OnEnd(s sdktrace.ReadOnlySpan)                   { c.spans = append(c.spans, s) }
func (c *collected) Shutdown(context.Context) error                  { return nil }
func (c *collected) ForceFlush(context.Context) error                { return nil }

// taken notes what the last request was answered.
type taken struct {
	inner  http.RoundTripper
	status int
}

func (t *taken) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.inner.RoundTrip(r)
	if err == nil {
		t.status = answer.StatusCode
	}
	return answer, err
}
