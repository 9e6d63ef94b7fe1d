// Spans on their way to a collector.

package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"towpath.dev/internal/run/serve"
)

// trace has a server make spans, if a collector was named; stop sends the last of
// them.
func (s *serving) trace(ctx context.Context, opts *serve.Options) (stop func(), err error) {
	if s.otlp == "" {
		return func() {}, nil
	}
	u, err := url.Parse(s.otlp)
	if err != nil || u.Host == "" {
		return nil, usage{fmt.Errorf("--otlp %s is no address of a collector: expected http://HOST:4318", s.otlp), "tow serve"}
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.JoinPath("/v1/traces").String()))
	if err != nil {
		return nil, fmt.Errorf("the collector: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(s.sample))),
		trace.WithResource(resource.NewSchemaless(attribute.String("service.name", "towpath"), attribute.String("service.version", version()))))
	opts.Tracer = provider.Tracer("towpath.dev/serve")
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(last); err != nil {
			s.fail(fmt.Errorf("the last spans did not reach the collector: %w", err))
		}
	}, nil
}
