package election

import (
	"context"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// AwaitEarly waits until so many leases of dead peers were revoked.
func (m *Metrics) AwaitEarly(ctx context.Context, n int) {
	await(ctx, n, func(text *dto.Metric) float64 {
		_ = m.early.Write(text)
		return text.GetCounter().GetValue()
	})
}

// AwaitPeers waits until the session is connected to so many peers.
func (s *Session) AwaitPeers(ctx context.Context, n int) {
	await(ctx, n, func(text *dto.Metric) float64 {
		_ = s.opt.Metric.peers.Write(text)
		return text.GetGauge().GetValue()
	})
}

func await(ctx context.Context, n int, read func(*dto.Metric) float64) {
	for ctx.Err() == nil && int(read(&dto.Metric{})) != n {
		time.Sleep(time.Millisecond) // nothing says when a metric changes
	}
}
