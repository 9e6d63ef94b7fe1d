package serve

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// span is a request's span; its zero value is none.
type span struct {
	trace.Span
	sampled bool
}

var traceContext propagation.TraceContext

// startSpan begins the request's span, under that of its caller, and has calls
// carry it on.
func (q *query) startSpan(ctx context.Context, h http.Header) context.Context {
	ctx = traceContext.Extract(ctx, propagation.HeaderCarrier(h))
	ctx, s := q.server.opts.Tracer.Start(ctx, q.view.name, trace.WithTimestamp(q.begin), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("towpath.program", q.program), attribute.String("towpath.request", q.about.Request)))
	q.span = span{s, s.SpanContext().IsSampled()}
	carrier := propagation.MapCarrier{}
	traceContext.Inject(ctx, carrier)
	q.about.TraceParent = carrier["traceparent"]
	return ctx
}

// endSpan ends the span and tells of passes and asks as its children.
func (q *query) endSpan(err error) {
	s := q.span.Span
	if s == nil {
		return
	}
	defer s.End()
	if err != nil {
		s.SetStatus(codes.Error, err.Error())
	}
	if !q.span.sampled {
		return
	}
	ctx := trace.ContextWithSpan(context.Background(), s)
	tracer := q.server.opts.Tracer
	for _, p := range q.trace.Passes {
		_, child := tracer.Start(ctx, "pass", trace.WithTimestamp(p.Begin), trace.WithAttributes(
			attribute.Int("towpath.asked", p.Asked), attribute.Int("towpath.pending", p.Pending), attribute.Int64("towpath.gas", p.Gas)))
		child.End(trace.WithTimestamp(p.End))
	}
	for _, e := range q.events {
		_, child := tracer.Start(ctx, e.Operation.QualifiedName(), trace.WithTimestamp(e.Begin), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.Int("towpath.calls", e.Calls), attribute.Int("towpath.hits", e.Hits), attribute.Int("towpath.joined", e.Joined),
			attribute.Int("towpath.retried", e.Retried), attribute.Int("towpath.failed", e.Failed)))
		if e.Err != nil {
			child.SetStatus(codes.Error, e.Err.Error())
		}
		child.End(trace.WithTimestamp(e.End))
	}
	for _, v := range q.trace.Verdicts {
		what := "expired"
		if v.Shed {
			what = "shed"
		}
		s.AddEvent(what, trace.WithTimestamp(v.At), trace.WithAttributes(attribute.String("code.filepath", v.File), attribute.Int("code.lineno", v.Place.Line)))
	}
}
