// What etcd logs, for the process's log.

package member

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger is one of etcd's that writes to ours. While etcd starts, what it would end
// the process for is a panic of the type fatal.
func logger(log *slog.Logger, verbose bool, life *life) *zap.Logger {
	least := zapcore.WarnLevel
	if verbose {
		least = zapcore.InfoLevel
	}
	return zap.New(&core{least, log.Handler(), life},
		zap.WithFatalHook(hook{life, zapcore.WriteThenFatal}), zap.WithPanicHook(hook{life, zapcore.WriteThenPanic}))
}

// life is where in its life a member is.
type life struct {
	starts atomic.Bool
	ends   atomic.Bool // it is closed on purpose
}

// A core passes entries on to a handler.
type core struct {
	least   zapcore.Level
	handler slog.Handler
	life    *life
}

func (c *core) Enabled(level zapcore.Level) bool {
	return level >= c.least && c.handler.Enabled(context.Background(), levelOf(level))
}

// levelOf is slog's level: there is none above an error.
func levelOf(level zapcore.Level) slog.Level {
	switch {
	case level >= zapcore.ErrorLevel:
		return slog.LevelError
	case level == zapcore.WarnLevel:
		return slog.LevelWarn
	case level == zapcore.InfoLevel:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{c.least, c.handler.WithAttrs(attrs(fields)), c.life}
}

// Warnings at each start of what we do on purpose: what little HTTP there is, metrics,
// comes in where gRPC does; and etcd's own users, who would have tokens, are not used.
const (
	singlePort  = "Running http and grpc server on single port"
	simpleToken = "simple token is not cryptographically signed"
)

func (c *core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	switch {
	case !c.Enabled(e.Level), strings.HasPrefix(e.Message, singlePort), e.Message == simpleToken:
		return checked
	case c.life.ends.Load() && e.Level <= zapcore.ErrorLevel:
		return checked // that its listeners are closed is an error to etcd, each time
	}
	return checked.AddCore(e, c)
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	record := slog.NewRecord(e.Time, levelOf(e.Level), "etcd: "+e.Message, 0)
	record.AddAttrs(attrs(fields)...)
	return c.handler.Handle(context.Background(), record)
}

func (c *core) Sync() error { return nil }

// attrs lets zap turn fields into values. Their order is not kept.
func attrs(fields []zapcore.Field) []slog.Attr {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	list := make([]slog.Attr, 0, len(m.Fields))
	for _, key := range slices.Sorted(maps.Keys(m.Fields)) {
		list = append(list, slog.Any(key, m.Fields[key]))
	}
	return list
}

// fatal is what etcd would have ended the process for.
type fatal struct{ message string }

func (f fatal) Error() string { return f.message }

// A hook runs after an entry that is the last one.
type hook struct {
	life      *life
	otherwise zapcore.CheckWriteAction
}

func (h hook) OnWrite(e *zapcore.CheckedEntry, fields []zapcore.Field) {
	if !h.life.starts.Load() {
		h.otherwise.OnWrite(e, fields)
	}
	message := e.Message
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			message += ": " + err.Error()
		}
	}
	panic(fatal{message})
}
