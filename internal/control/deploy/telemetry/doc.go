// Package telemetry tells other systems of deployments: as CloudEvents, and as spans of
// OpenTelemetry.
//
// An [Exporter] follows the events of deployments and hands them to its sinks: [HTTP] posts
// CloudEvents, [OTLP] posts spans. How far a sink has been told of a deployment is a [Mark], kept
// in [Cursors], and moved on only when the other side has said that it has it. So nothing is lost
// while that is down, or while no exporter runs; what was handed over just before one died is
// handed over again, under the same ids.
//
//	x, err := telemetry.New(telemetry.Options{
//		Source:  &telemetry.Deployments{Service: service, Objects: objects},
//		Cursors: &telemetry.StoreCursors{Store: store},
//		Sinks:   []telemetry.Sink{sink},
//	})
//	err = x.Run(ctx)
//
// The words: a [Timeline] is a deployment with all its events. Who wrote an event is its writer,
// a node, or "", which is the controllers; each writer numbers its own events. Events and ids are
// made from timelines by pure functions, so that any number of exporters make the same ones.
package telemetry
